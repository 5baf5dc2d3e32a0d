;; Bad: a module that is no policy; its exports have other names.
(module
  (memory (export "memory") 1)
  (func (export "init"))
  (func (export "pick") (result i32)
    (i32.const 0)))
