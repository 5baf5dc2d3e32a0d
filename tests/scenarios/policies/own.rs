//! A policy is a file in `policies/`.

use crate::harness::{backends, gateway, guest, refusing};

#[test]
fn a_file_is_a_policy_under_its_own_name() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/second.wat", guest::always(1))
        .upstream("api", [&a, &b])
        .policy("second")
        .start();

    assert_eq!(gateway.picks(5), ["b"; 5]);
    let policy = gateway.policy("api");
    assert_eq!((policy["name"].as_str(), policy["state"].as_str()), (Some("second"), Some("serving")));
    assert_eq!(gateway.count("api", "picks"), 5);
}

#[test]
fn a_file_replaces_the_built_in_of_its_name() {
    let [a, b] = backends(["a", "b"]);
    let gateway =
        gateway().file("policies/round_robin.wat", guest::always(1)).upstream("api", [&a, &b]).start();

    assert_eq!(gateway.picks(4), ["b"; 4]);
}

#[test]
fn another_attempt_is_another_pick() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let policy = guest::picking("(call $backend (i32.rem_u (local.get $attempt) (i32.const 2)))");
    let gateway = gateway()
        .file("policies/next.wat", policy)
        .upstream("api", [nobody.to_string(), a.to_string()])
        .policy("next")
        .start();

    assert_eq!(gateway.get("/").backend(), "a");
    assert_eq!(gateway.count("api", "picks"), 2);
}

#[test]
fn a_policy_that_insists_on_a_dead_backend_is_overruled() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let list = [nobody.to_string(), a.to_string()];
    let gateway =
        gateway().file("policies/first.wat", guest::always(0)).upstream("api", list).policy("first").start();

    assert_eq!(gateway.get("/").backend(), "a");
    assert!(gateway.count("api", "re_picks") > 0, "it was asked again first");
}

#[test]
fn who_abstains_leaves_it_to_the_gateway() {
    let [a, b] = backends(["a", "b"]);
    let policy = guest::picking("(call $abstain)");
    let gateway =
        gateway().file("policies/silent.wat", policy).upstream("api", [&a, &b]).policy("silent").start();

    gateway.picks(10);
    assert_eq!((a.hits(), b.hits()), (5, 5), "smooth weighted round robin");
    assert_eq!(gateway.count("api", "abstained"), 10);
}

#[test]
fn a_policy_may_refuse_a_request() {
    let [a] = backends(["a"]);
    let policy = guest::picking("(call $reject (i32.const 429))");
    let gateway =
        gateway().file("policies/strict.wat", policy).upstream("api", [&a]).policy("strict").start();

    assert_eq!(gateway.get("/").status(), 429);
    assert_eq!((gateway.count("api", "rejected"), a.hits()), (1, 0));
}

#[test]
fn the_declared_length_of_a_body_is_known() {
    let [small, large] = backends(["small", "large"]);
    let policy = guest::picking("(call $backend (i64.gt_u (local.get $length) (i64.const 1000)))");
    let gateway = gateway()
        .file("policies/by_size.wat", policy)
        .upstream("api", [&small, &large])
        .policy("by_size")
        .start();
    let post = |size: usize| {
        let body = "x".repeat(size);
        gateway
            .ask(&format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n{body}"))
            .backend()
    };

    assert_eq!((post(10), post(2000)), ("small".into(), "large".into()));
}
