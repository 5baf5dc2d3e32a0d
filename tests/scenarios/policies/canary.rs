//! A canary decides for a share of the requests, and goes back when it does worse.

use serde_json::Value;

use crate::harness::{Backend, Gateway, backend, backends, eventually, gateway, guest};

fn canary(gateway: &Gateway) -> Value {
    gateway.policy("api")["canary"].clone()
}

fn state(gateway: &Gateway) -> String {
    canary(gateway)["state"].as_str().unwrap_or_default().to_owned()
}

/// A policy that always names `a`, and a canary with these keys that always names `b`.
fn beside(a: &Backend, b: &Backend, keys: &str) -> Gateway {
    gateway()
        .file("policies/first.wat", guest::always(0))
        .file("policies/second.wat", guest::always(1))
        .upstream("api", [a, b])
        .policy("first")
        .with(&format!("canary = {{ use = \"second\", {keys} }}"))
        .start()
}

#[test]
fn a_canary_decides_for_its_share() {
    let [a, b] = backends(["a", "b"]);
    let gateway = beside(&a, &b, "share = \"25%\"");
    gateway.picks(400);

    assert!((50..150).contains(&b.hits()), "{}", b.hits());
    let canary = canary(&gateway);
    assert_eq!(canary["state"], "trying");
    assert_eq!(canary["canary"]["attempts"].as_u64(), Some(b.hits() as u64));
    assert_eq!(canary["main"]["attempts"].as_u64(), Some(a.hits() as u64));
}

#[test]
fn a_canary_that_fails_more_often_goes_back() {
    let [a] = backends(["a"]);
    let b = backend("b", |_| b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n".to_vec());
    let gateway = beside(&a, &b, "share = \"50%\", least_requests = 10");
    eventually("the canary goes back", || {
        gateway.get("/");
        state(&gateway) == "returned"
    });

    gateway.says("goes back and decides no more");
    assert!(canary(&gateway)["why"].as_str().is_some_and(|why| why.contains("% of its attempts failed")));
    let before = b.hits();
    gateway.picks(20);
    assert_eq!(b.hits(), before);
    gateway.reload();
    assert_eq!(state(&gateway), "trying", "a reload pardons");
}

#[test]
fn a_canary_that_traps_goes_back_and_its_request_is_served() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/first.wat", guest::always(0))
        .file("policies/bad.wat", guest::poisoned(1, "(unreachable)"))
        .upstream("api", [&a, &b])
        .policy("first")
        .with("canary = { use = \"bad\", share = \"100%\" }")
        .start();
    assert_eq!(gateway.get("/").backend(), "b");
    assert_eq!(gateway.ask(&guest::poison()).backend(), "a");
    assert_eq!(state(&gateway), "returned");
    assert_eq!(gateway.get("/").backend(), "a");
}

#[test]
fn an_operator_promotes_and_rolls_back() {
    let [a, b] = backends(["a", "b"]);
    let gateway = beside(&a, &b, "share = \"0%\"");
    assert_eq!(gateway.picks(5), ["a"; 5]);
    assert_eq!(gateway.run(&["policy", "promote"]).code, 0);
    assert_eq!((gateway.picks(5), state(&gateway)), (vec!["b".to_owned(); 5], "promoted".to_owned()));
    gateway.reload();
    assert_eq!(gateway.picks(5), ["b"; 5], "a reload does not demote");
    assert_eq!(gateway.run(&["policy", "rollback", "-u", "api"]).code, 0);
    assert_eq!((gateway.picks(5), state(&gateway)), (vec!["a".to_owned(); 5], "returned".to_owned()));
}

#[test]
fn without_a_canary_there_is_nothing_to_promote() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let finished = gateway.run(&["policy", "promote"]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("has no canary"), "{finished:?}");
}
