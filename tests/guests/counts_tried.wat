;; Good: refuses with 400 plus the number of candidates already tried.
(module
  ;; Where to put the list: where it lies, its length.
  (import "pointsman:policy/request-info@0.1.0" "tried" (func $tried (param i32)))
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
    (global.set $free (i32.const 4096))
    (call $tried (i32.const 64))
    (i32.store8 (i32.const 32) (i32.const 2))
    (i32.store16 (i32.const 36) (i32.add (i32.const 400) (i32.load (i32.const 68))))
    (i32.const 32)))
