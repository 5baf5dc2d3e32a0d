;; A policy of your own: a text file, and nothing to install.
;;
;; It sends every request to one and the same backend. Put it where the gateway looks for policies,
;; under the name of the policy that it shall replace (here `fair`), and ask again:
;;
;;     cp {folder}/policies-to-try/always_first.wat {folder}/policies/fair.wat
;;     curl {url}
;;
;; Then change the number below in {folder}/policies/fair.wat and save.
(module

  ;; THE NUMBER: 0 is fast, 1 is middle, 2 is slow (the order of `backends` in pointsman.toml).
  ;; With 3, which is nobody, the gateway refuses the file, tells {folder}/pointsman.log why, and
  ;; goes on with the policy that it has: a bad policy costs no request.
  (global $chosen i32 (i32.const 0))

  ;; `pick` is called for every request. It gets numbers: the hash of the upstream's `hash_key`; how
  ;; often this request was tried before; 31 random bits; the time in microseconds; whether the
  ;; client declared a length, and which. It answers where in memory its choice stands: at 32 one
  ;; byte for the kind of choice (0: a backend), at 36 which.
  (func (export "pointsman:policy/policy@0.1.0#pick")
      (param $key i64) (param $attempt i32) (param $random i32) (param $now i64)
      (param $has_length i32) (param $length i64) (result i32)

    (i32.store (i32.const 36) (global.get $chosen))
    ;; Or two of three requests to fast, the rest to middle. Take the line above out and this in:
    ;; (i32.store (i32.const 36) (i32.eqz (i32.rem_u (local.get $random) (i32.const 3))))

    (i32.const 32))

  ;; `init` is called once, with options, backends and a seed. This policy needs none of them; the
  ;; zero byte at 16 says that all is well.
  (func (export "pointsman:policy/policy@0.1.0#init") (param i32 i32 i32 i32 i64) (result i32)
    (i32.const 16))

  ;; What `init` is given has to be written somewhere: the gateway asks for room here. The end of
  ;; what is taken grows in steps of 8 bytes, and nothing is ever given back.
  (memory (export "memory") 1)
  (global $end (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $room i32)
    (local.set $room (global.get $end))
    (global.set $end (i32.and (i32.const -8)
      (i32.add (global.get $end) (i32.add (local.get $size) (i32.const 7)))))
    (local.get $room)))
