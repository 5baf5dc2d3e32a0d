//! Each way in which a policy can fail while it serves: the client that met it gets its answer,
//! the right counter moves, the next request is served by the policy again.

use crate::harness::{backends, eventually, gateway, guest};

/// Poisons a policy that prefers `b` once.
#[track_caller]
fn costs_nobody_anything(deed: &str, kind: &str) {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/bad.wat", guest::poisoned(1, deed))
        .upstream("api", [&a, &b])
        .policy("bad")
        .start();
    assert_eq!(gateway.picks(3), ["b"; 3]);

    let answer = gateway.ask(&guest::poison());
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(gateway.faults("api", kind), 1, "{:#}", gateway.policy("api"));
    assert_eq!(gateway.count("api", "fallbacks"), 1, "{:#}", gateway.policy("api"));

    assert_eq!(gateway.get("/").status(), 200);
    eventually("a new instance picks", || {
        gateway.get("/").backend() == "b" && gateway.get("/").backend() == "b"
    });
    assert_eq!(gateway.policy("api")["state"], "serving");
}

#[test]
fn a_trap() {
    costs_nobody_anything("(unreachable)", "trap");
}

#[test]
fn a_read_far_outside_its_memory() {
    costs_nobody_anything("(drop (i32.load (i32.const -8)))", "trap");
}

#[test]
fn a_recursion_without_end() {
    costs_nobody_anything("(call $deeper)", "trap");
}

#[test]
fn a_loop_without_end() {
    costs_nobody_anything("(loop $for_ever (br $for_ever))", "deadline");
}

#[test]
fn memory_without_end() {
    costs_nobody_anything(
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) (unreachable)",
        "memory",
    );
}

#[test]
fn an_index_that_does_not_exist() {
    costs_nobody_anything("(return (call $backend (i32.const 2)))", "bad_index");
}

#[test]
fn an_index_that_is_huge() {
    costs_nobody_anything("(return (call $backend (i32.const -1)))", "bad_index");
}

#[test]
fn a_status_that_refuses_nothing() {
    costs_nobody_anything("(return (call $reject (i32.const 200)))", "bad_status");
}

#[test]
fn a_choice_that_is_none() {
    costs_nobody_anything("(return (call $answer (i32.const 9) (i32.const 0)))", "trap");
}

#[test]
fn a_loop_holds_up_nobody_for_long() {
    let [a] = backends(["a"]);
    let bad = guest::poisoned(0, "(loop $for_ever (br $for_ever))");
    let gateway = gateway()
        .section("[sandbox]\npick_deadline = \"20ms\"")
        .file("policies/bad.wat", bad)
        .upstream("api", [&a])
        .policy("bad")
        .start();
    assert_eq!(gateway.get("/").status(), 200);

    let begun = std::time::Instant::now();
    assert_eq!(gateway.ask(&guest::poison()).status(), 200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_client_that_leaves_during_a_pick_costs_nobody_anything() {
    let [a] = backends(["a"]);
    let bad = guest::poisoned(0, "(loop $for_ever (br $for_ever))");
    let gateway = gateway()
        .section("[sandbox]\npick_deadline = \"50ms\"")
        .file("policies/bad.wat", bad)
        .upstream("api", [&a])
        .policy("bad")
        .start();
    for _ in 0..5 {
        gateway.begin(&guest::poison()).reset();
    }

    assert_eq!(gateway.get("/").status(), 200);
    eventually("nothing is in flight", || gateway.backend("api", &a, "in_flight") == 0);
}
