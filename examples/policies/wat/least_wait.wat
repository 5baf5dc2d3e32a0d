;; The candidate at which a request has the least time to wait: its mean response time, times the
;; requests that would then be there, for its weight. Failing candidates count as slower.
;;
;; No toolchain: this file is the policy. Memory, by address:
;;   16  what `init` answers: 0, or 1 with address and length of a text
;;   32  what `pick` answers: 0 with an index at 36 (`backend`), or 1 (`abstain`)
;;   48  latency, 56 in flight, 64 failures, 72 tried: address and length of each list
;;  128  the text of a refusal
;; 4096  and on: what the gateway hands over
(module
  ;; A function that answers with a list is told where to put the list's address and length.
  (import "pointsman:policy/stats@0.1.0" "latency" (func $latency (param i32)))
  (import "pointsman:policy/stats@0.1.0" "in-flight" (func $in_flight (param i32)))
  (import "pointsman:policy/stats@0.1.0" "failures" (func $failures (param i32)))
  (import "pointsman:policy/request-info@0.1.0" "tried" (func $tried (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 128) "the only option is `penalty`, a whole number from 0 to 1000")
  (data (i32.const 256) "\22penalty\22:")

  ;; Memory is handed out from $next on. Each pick begins again at $kept, where what `init` keeps ends.
  (global $next (mut i32) (i32.const 4096))
  (global $kept (mut i32) (i32.const 4096))
  (func $reserve (param $size i32) (result i32)
    (local $at i32) (local $missing i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.set $missing (i32.sub
      (i32.shr_u (i32.add (global.get $next) (i32.const 65535)) (i32.const 16))
      (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (unreachable)))))
    (local.get $at))
  (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
    (call $reserve (local.get $size)))

  (global $penalty (mut f64) (f64.const 20)) ;; how many times slower a candidate counts that always fails
  (global $weights (mut i32) (i32.const 0)) ;; an f64 for each candidate
  (global $count (mut i32) (i32.const 0))
  (global $begin (mut i32) (i32.const 0)) ;; where the scan begins: behind the last choice

  ;; Reads `{}` or `{"penalty":N}`, written without blanks; 0 for anything else.
  (func $options (param $at i32) (param $length i32) (result i32)
    (local $i i32) (local $value i32) (local $digit i32)
    (if (i32.eq (local.get $length) (i32.const 2))
      (then (return (i32.eq (i32.load16_u (local.get $at)) (i32.const 0x7d7b))))) ;; `{}`
    (if (i32.lt_u (local.get $length) (i32.const 13)) (then (return (i32.const 0))))
    ;; As many as four digits.
    (if (i32.gt_u (local.get $length) (i32.const 16)) (then (return (i32.const 0))))
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x7b)) (then (return (i32.const 0)))) ;; `{`
    (loop $name
      (if (i32.ne
            (i32.load8_u (i32.add (i32.const 256) (local.get $i)))
            (i32.load8_u offset=1 (i32.add (local.get $at) (local.get $i))))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $name (i32.lt_u (local.get $i) (i32.const 10))))
    (local.set $i (i32.const 11))
    (loop $digits
      (local.set $digit (i32.sub
        (i32.load8_u (i32.add (local.get $at) (local.get $i)))
        (i32.const 48)))
      (if (i32.gt_u (local.get $digit) (i32.const 9)) (then (return (i32.const 0))))
      (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10)) (local.get $digit)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $digits (i32.lt_u (local.get $i) (i32.sub (local.get $length) (i32.const 1)))))
    (if (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $i))) (i32.const 0x7d)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $value) (i32.const 1000)) (then (return (i32.const 0))))
    (global.set $penalty (f64.convert_i32_u (local.get $value)))
    (i32.const 1))

  (func (export "pointsman:policy/policy@0.1.0#init")
      (param $options i32) (param $options_length i32) (param $backends i32) (param $backends_length i32) (param $seed i64)
      (result i32)
    (local $i i32)
    (if (i32.eqz (call $options (local.get $options) (local.get $options_length)))
      (then
        (i32.store (i32.const 16) (i32.const 1))
        (i32.store (i32.const 20) (i32.const 128))
        (i32.store (i32.const 24) (i32.const 59))
        (return (i32.const 16))))
    (global.set $count (local.get $backends_length))
    (global.set $weights (call $reserve (i32.mul (global.get $count) (i32.const 8))))
    (if (global.get $count)
      (then
        (global.set $begin (i32.wrap_i64 (i64.rem_u (local.get $seed) (i64.extend_i32_u (global.get $count)))))
        (loop $next
          ;; A backend is 32 bytes, its weight lies at 8.
          (f64.store
            (i32.add (global.get $weights) (i32.mul (local.get $i) (i32.const 8)))
            (f64.convert_i32_u (i32.load offset=8 (i32.add (local.get $backends) (i32.mul (local.get $i) (i32.const 32))))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $i) (global.get $count))))))
    (global.set $kept (global.get $next))
    (i32.const 16))

  ;; The number of this index in the list whose address lies at $list.
  (func $of (param $list i32) (param $index i32) (result f64)
    (f64.convert_i32_u (i32.load (i32.add (i32.load (local.get $list)) (i32.mul (local.get $index) (i32.const 4))))))

  (func $was_tried (param $index i32) (result i32)
    (local $i i32)
    (block $no
      (loop $next
        (br_if $no (i32.ge_u (local.get $i) (i32.load (i32.const 76))))
        (if (i32.eq
              (i32.load (i32.add (i32.load (i32.const 72)) (i32.mul (local.get $i) (i32.const 4))))
              (local.get $index))
          (then (return (i32.const 1))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; latency x (in flight + 1) / weight x (1 + penalty x failures / 1,000,000)
  (func $wait (param $i i32) (result f64)
    (f64.mul
      (f64.div
        (f64.mul
          (call $of (i32.const 48) (local.get $i))
          (f64.add (call $of (i32.const 56) (local.get $i)) (f64.const 1)))
        (f64.load (i32.add (global.get $weights) (i32.mul (local.get $i) (i32.const 8)))))
      (f64.add
        (f64.const 1)
        (f64.div
          (f64.mul (global.get $penalty) (call $of (i32.const 64) (local.get $i)))
          (f64.const 1000000)))))

  (func (export "pointsman:policy/policy@0.1.0#pick") (param $key i64) (param $attempt i32) (param $random i32)
      (param $now i64) (param $has_length i32) (param $length i64) (result i32)
    (local $step i32) (local $i i32) (local $best i32) (local $wait f64) (local $least f64)
    (global.set $next (global.get $kept))
    (call $latency (i32.const 48))
    (call $in_flight (i32.const 56))
    (call $failures (i32.const 64))
    (i32.store (i32.const 76) (i32.const 0))
    (if (local.get $attempt) (then (call $tried (i32.const 72))))
    (local.set $best (i32.const -1))
    (local.set $least (f64.const inf))
    (local.set $i (global.get $begin))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $step) (global.get $count)))
        (if (i32.ge_u (local.get $i) (global.get $count)) (then (local.set $i (i32.const 0))))
        (local.set $wait (call $wait (local.get $i)))
        (if (i32.and
              (f64.lt (local.get $wait) (local.get $least))
              (i32.eqz (call $was_tried (local.get $i))))
          (then
            (local.set $best (local.get $i))
            (local.set $least (local.get $wait))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (local.set $step (i32.add (local.get $step) (i32.const 1)))
        (br $next)))
    (if (i32.eq (local.get $best) (i32.const -1))
      (then
        (i32.store8 (i32.const 32) (i32.const 1))
        (return (i32.const 32))))
    (global.set $begin (i32.add (local.get $best) (i32.const 1)))
    (i32.store8 (i32.const 32) (i32.const 0))
    (i32.store (i32.const 36) (local.get $best))
    (i32.const 32)))
