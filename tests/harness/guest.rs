//! Small policies, written in the test that needs them: a core module in WAT whose `pick` is the
//! interesting part. (One guest for each kind of failure is in `tests/guests`.)

/// A request that declares this many bytes makes [`poisoned`] guests do what they must not. No
/// trial of the gateway makes up this very number.
pub const POISON: usize = 66_613;

/// A policy whose `pick` has this body. It can use the parameters `$key`, `$attempt`, `$random`,
/// `$now`, `$declared` (is there a body length) and `$length`, and calls one of `$backend`,
/// `$abstain` and `$reject` last; `$deeper` recurses for ever.
pub fn picking(body: &str) -> String {
    format!(
        r#"(module
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))
  (func $answer (param $case i32) (param $value i32) (result i32)
    (i32.store8 (i32.const 16) (local.get $case))
    (i32.store (i32.const 20) (local.get $value))
    (i32.const 16))
  (func $backend (param $index i32) (result i32) (call $answer (i32.const 0) (local.get $index)))
  (func $abstain (result i32) (call $answer (i32.const 1) (i32.const 0)))
  (func $reject (param $status i32) (result i32) (call $answer (i32.const 2) (local.get $status)))
  (func $deeper (call $deeper) (call $deeper))
  (func (export "pointsman:policy/policy@0.1.0#init") (param i32 i32 i32 i32 i64) (result i32) (i32.const 32))
  (func (export "pointsman:policy/policy@0.1.0#pick")
    (param $key i64) (param $attempt i32) (param $random i32) (param $now i64) (param $declared i32) (param $length i64)
    (result i32)
    {body}))
"#
    )
}

/// A policy that always picks the candidate `index`.
pub fn always(index: u32) -> String {
    picking(&format!("(call $backend (i32.const {index}))"))
}

/// A policy that picks the candidate `index`, but runs `deed` when a request declares [`POISON`]
/// bytes.
pub fn poisoned(index: u32, deed: &str) -> String {
    picking(&format!(
        "(if (i64.eq (local.get $length) (i64.const {POISON})) (then {deed})) (call $backend (i32.const {index}))"
    ))
}

/// A policy whose `init` refuses whatever it is given, saying `words`.
pub fn refusing_init(words: &str) -> String {
    let length = words.len();
    let init = "(param i32 i32 i32 i32 i64) (result i32) (i32.const 32))";
    let refusal = format!(
        "(param i32 i32 i32 i32 i64) (result i32) (i32.store8 (i32.const 32) (i32.const 1)) \
         (i32.store (i32.const 36) (i32.const 64)) (i32.store (i32.const 40) (i32.const {length})) (i32.const 32))\n  \
         (data (i32.const 64) \"{words}\")"
    );
    always(0).replace(init, &refusal)
}

/// A request that poisons.
pub fn poison() -> String {
    poison_of(POISON)
}

/// A request with a body of so many bytes, for guests with a poison of their own.
pub fn poison_of(bytes: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
}
