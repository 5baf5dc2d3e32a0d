;; Bad: traps before `init`, as soon as it is instantiated.
(module
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
    (i32.const 32))
  (func $start unreachable)
  (start $start))
