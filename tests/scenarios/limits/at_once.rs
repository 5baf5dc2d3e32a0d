//! `[connection_limit.<name>]`: how many requests at once.

use crate::harness::{Plan, backends, eventually, gateway};

fn limited(lines: &str) -> Plan {
    gateway()
        .section("[limits]\nconnection_limits = [\"a\"]")
        .section(&format!("[connection_limit.a]\n{lines}"))
}

#[test]
fn so_many_are_served_at_once_and_one_more_when_one_has_ended() {
    let [a] = backends(["a"]);
    let gateway = limited("max = 2").upstream("api", [&a]).start();
    let mut held = [gateway.begin_get("/held"), gateway.begin_get("/held")];
    a.holds(2);

    let refused = gateway.get("/");
    assert_eq!((refused.status(), refused.has("retry-after")), (429, false));
    gateway.says("429: too many requests (connection_limit.a)");
    a.release();
    held.iter_mut().for_each(|client| assert_eq!(client.answer().status(), 200));
    eventually("a place is free", || gateway.get("/").status() == 200);
}

#[test]
fn an_idle_connection_does_not_count() {
    let [a] = backends(["a"]);
    let gateway = limited("max = 1").upstream("api", [&a]).start();
    let mut first = gateway.client();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(first.answer().status(), 200);

    eventually("another is served", || gateway.get("/").status() == 200);
    assert!(first.is_quiet(), "the first is still open");
}

#[test]
fn who_leaves_is_counted_no_longer() {
    let [a] = backends(["a"]);
    let gateway = limited("max = 1").upstream("api", [&a]).start();
    let held = gateway.begin_get("/held");
    a.holds(1);
    assert_eq!(gateway.get("/").status(), 429);

    drop(held);
    eventually("its place is free", || gateway.get("/").status() == 200);
}

#[test]
fn all_workers_count_together() {
    let [a] = backends(["a"]);
    let gateway = limited("max = 3").top("workers = 4").upstream("api", [&a]).start();
    let _held: Vec<_> = (0..3).map(|_| gateway.begin_get("/held")).collect();
    a.holds(3);

    assert!((0..8).all(|_| gateway.get("/").status() == 429));
}
