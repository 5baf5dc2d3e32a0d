//! A policy that fails at every single pick, under many clients: nobody is failed.

use crate::harness::{Load, backends, gateway, guest};

/// A body length that no trial makes up, and short enough to be sent often.
const POISON: usize = 1_234;

/// 64 clients, each of whose requests makes the policy do `deed`. Quarantine is out of reach, so
/// that every new instance is asked, and fails.
#[track_caller]
fn fails_nobody(deed: &str, kind: &str) {
    let [a, b] = backends(["a", "b"]);
    let pick = format!(
        "(if (i64.eq (local.get $length) (i64.const {POISON})) (then {deed})) (call $backend (i32.const 0))"
    );
    let gateway = gateway()
        .top("workers = 2")
        .section("[sandbox]\nmax_faults = 1000000")
        .file("policies/bad.wat", guest::picking(&pick))
        .upstream("api", [&a, &b])
        .policy("bad")
        .start();

    let load = Load::asking(&gateway, 64, &guest::poison_of(POISON));
    load.goes_on_for(1_000);
    assert!(load.stop() >= 1_000);
    assert!(gateway.faults("api", kind) > 5, "{:#}", gateway.policy("api"));
    assert_eq!(gateway.policy("api")["state"], "serving");
}

#[test]
fn trapping_at_every_pick() {
    fails_nobody("(unreachable)", "trap");
}

#[test]
fn looping_at_every_pick() {
    fails_nobody("(loop $for_ever (br $for_ever))", "deadline");
}

#[test]
fn eating_memory_at_every_pick() {
    fails_nobody(
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) (unreachable)",
        "memory",
    );
}
