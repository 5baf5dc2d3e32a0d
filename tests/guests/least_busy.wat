;; Good: scans a column for the candidate with the fewest attempts in flight, the first of several.
(module
  ;; Where to put the list: where it lies, its length.
  (import "pointsman:policy/stats@0.1.0" "in-flight" (func $in_flight (param i32)))
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
    (local $at i32) (local $n i32) (local $i i32) (local $best i32) (local $least i32)
    (global.set $free (i32.const 4096))
    (call $in_flight (i32.const 64))
    (local.set $at (i32.load (i32.const 64)))
    (local.set $n (i32.load (i32.const 68)))
    (local.set $least (i32.const -1))
    (loop $next
      (if (i32.lt_u (i32.load (local.get $at)) (local.get $least))
        (then
          (local.set $least (i32.load (local.get $at)))
          (local.set $best (local.get $i))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (i32.store (i32.const 36) (local.get $best))
    (i32.const 32)))
