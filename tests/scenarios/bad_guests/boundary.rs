//! Lists across the boundary: what a policy hands over, and what it is handed, has bounds.

use crate::harness::{Backend, Gateway, backends, gateway, guest};

const TALKS: &str = include_str!("../../guests/talks.wat");
const BY_HEADER: &str = include_str!("../../guests/by_header.wat");
const WRITE: &str = "(call $write (i32.const 1) (i32.const 64) (i32.const 5))";

/// `TALKS` with a message of so many bytes for the request that poisons.
fn talking(bytes: i32) -> String {
    let message = WRITE.replace("(i32.const 5)", &format!("(i32.const {bytes})"));
    let poisoned = format!("(i64.eq (local.get $length) (i64.const {}))", guest::POISON);
    let pick = format!("(if {poisoned} (then {message}) (else {WRITE}))");
    TALKS.replace(WRITE, &pick).replace("(memory (export \"memory\") 1)", "(memory (export \"memory\") 32)")
}

fn started(policy: String) -> (Backend, Gateway) {
    let [a] = backends(["a"]);
    let gateway = gateway().file("policies/bad.wat", policy).upstream("api", [&a]).policy("bad").start();
    assert_eq!(gateway.get("/").status(), 200);
    (a, gateway)
}

#[test]
fn a_message_that_is_longer_than_its_memory_is_a_trap() {
    for bytes in [3 << 20, i32::MAX, -1] {
        let (_a, gateway) = started(talking(bytes));
        assert_eq!(gateway.ask(&guest::poison()).status(), 200);
        assert_eq!((gateway.faults("api", "trap"), gateway.get("/").status()), (1, 200));
    }
}

#[test]
fn a_message_of_a_mebibyte_is_cut() {
    let (_a, gateway) = started(talking(1 << 20));
    let before = gateway.log().len();
    assert_eq!(gateway.ask(&guest::poison()).status(), 200);

    assert_eq!(gateway.faults("api", "trap"), 0);
    gateway.command("stop");
    assert!(gateway.log().len() < before + (64 << 10), "{} bytes", gateway.log().len());
}

#[test]
fn room_that_is_nowhere_is_a_trap() {
    let nowhere = "(global $nowhere (mut i32) (i32.const 0))\n  (func (export \"cabi_realloc\")";
    let policy = BY_HEADER
        .replace("(func (export \"cabi_realloc\")", nowhere)
        .replace("(local.get $at))", "(i32.or (local.get $at) (global.get $nowhere)))")
        .replace("(call $header", "(global.set $nowhere (i32.const -8))\n    (call $header");
    let (_a, gateway) = started(policy);

    let request = format!("GET / HTTP/1.1\r\nHost: test\r\nX-Backend: {}\r\n\r\n", "0".repeat(20_000));
    assert_eq!(gateway.ask(&request).status(), 200);
    assert_eq!((gateway.faults("api", "trap"), gateway.get("/").status()), (1, 200));
}
