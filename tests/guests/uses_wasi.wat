;; Uses what toolchains link from WASI, by attempt: clock, environment, output, random numbers, exit, sleep.
;; Refuses with 400 plus what it got. Needs the WIT of WASI embedded before it can be packed.
(module
  (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
  (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
  (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  ;; Never frees: the candidates are copied in once.
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  ;; `ok`: what lies at 16 is zero.
  (func (export "pointsman:policy/policy@0.1.0#init") (param i32 i32 i32 i32 i64) (result i32)
    (i32.const 16))
  (func (export "pointsman:policy/policy@0.1.0#pick") (param $key i64) (param $attempt i32) (param $random i32)
      (param $now i64) (param $has_length i32) (param $length i64) (result i32)
    (local $got i32)
    (block $done
      (block $sleep (block $exit (block $random (block $print (block $environment (block $clock
        (br_table $clock $environment $print $random $exit $sleep (local.get $attempt)))
      ;; clock
      (local.set $got (i32.wrap_i64 (call $now)))
      (br $done))
      ;; environment
      (call $environment (i32.const 80))
      (local.set $got (i32.load (i32.const 84)))
      (br $done))
      ;; print
      (call $write (call $stderr) (i32.const 64) (i32.const 6) (i32.const 80))
      (local.set $got (i32.add (i32.const 2) (i32.load8_u (i32.const 80))))
      (br $done))
      ;; random
      (local.set $got (i32.and (i32.wrap_i64 (call $random)) (i32.const 127)))
      (br $done))
      ;; exit
      (call $exit (i32.const 1))
      (br $done))
      ;; sleep
      (local.set $got (call $subscribe (i64.const 1000000000))))
    (i32.store8 (i32.const 32) (i32.const 2))
    (i32.store16 (i32.const 36) (i32.add (i32.const 400) (local.get $got)))
    (i32.const 32))
  (data (i32.const 64) "hello\n"))
