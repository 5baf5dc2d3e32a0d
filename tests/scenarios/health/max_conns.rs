//! A backend gets no more than it can bear; who comes too many waits, is served elsewhere, or is
//! told so.

use crate::harness::{Gateway, Wire, backends, eventually, gateway};

fn held(gateway: &Gateway, count: usize) -> Vec<Wire> {
    (0..count).map(|_| gateway.begin_get("/held")).collect()
}

#[test]
fn who_is_full_is_passed_over() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [a.entry("max_conns = 1"), b.to_string()]).start();
    let _held = held(&gateway, 4);

    a.holds(1);
    b.holds(3);
    a.release();
    b.release();
}

#[test]
fn the_limit_holds_over_all_workers() {
    let [a] = backends(["a"]);
    let plan = gateway().top("workers = 4").upstream("api", [&a]);
    let gateway = plan.with("max_conns = 5\nqueue = 100").start();
    let mut clients = held(&gateway, 40);
    for done in (5..=40).step_by(5) {
        eventually("five are there", || a.held() == 5 && a.hits() == done);
        a.release();
    }
    assert!(clients.iter_mut().all(|client| client.answer().status() == 200));
    assert_eq!(gateway.upstream("api")["queue"]["entered"], 35);
}

#[test]
fn when_all_are_full_and_nobody_may_wait_it_is_503() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with("max_conns = 1").start();
    let _held = held(&gateway, 2);
    a.holds(1);
    b.holds(1);

    let answer = gateway.get("/");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().contains("max_conns"), "{answer:?}");
    a.release();
    b.release();
    eventually("there is room again", || gateway.get("/").status() == 200);
}

#[test]
fn who_waits_is_served_in_the_order_of_arrival() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with("max_conns = 1\nqueue = 10").start();
    let waiting = || gateway.upstream("api")["queue"]["waiting"].as_u64();
    let mut first = gateway.begin_get("/held/0");
    a.holds(1);
    let mut others = Vec::new();
    for number in 1..=4 {
        others.push(gateway.begin_get(&format!("/{number}")));
        eventually("it waits", || waiting() == Some(number));
    }

    a.release();
    assert_eq!(first.answer().status(), 200);
    others.iter_mut().for_each(|client| assert_eq!(client.answer().status(), 200));
    let order: Vec<_> = a.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(order, ["/held/0", "/1", "/2", "/3", "/4"]);
    assert_eq!(waiting(), Some(0));
}

#[test]
fn a_queue_is_bounded() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with("max_conns = 1\nqueue = 1").start();
    let _held = held(&gateway, 1);
    a.holds(1);
    let mut waits = gateway.begin_get("/waits");
    eventually("it waits", || gateway.upstream("api")["queue"]["waiting"] == 1);

    let refused = gateway.get("/too-many");
    assert_eq!(refused.status(), 503);
    assert!(refused.text().contains("(queue)"), "{refused:?}");
    a.release();
    assert_eq!(waits.answer().status(), 200);
    assert_eq!(gateway.upstream("api")["queue"]["refused"], 1);
}

#[test]
fn waiting_has_an_end() {
    let [a] = backends(["a"]);
    let limits = "max_conns = 1\nqueue = 9\nqueue_timeout = \"100ms\"";
    let gateway = gateway().upstream("api", [&a]).with(limits).start();
    let _held = held(&gateway, 1);
    a.holds(1);

    let answer = gateway.get("/");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().contains("queue_timeout"), "{answer:?}");
    assert_eq!(gateway.upstream("api")["queue"]["expired"], 1);
    a.release();
}

#[test]
fn who_leaves_the_queue_keeps_nobody_waiting() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with("max_conns = 1\nqueue = 9").start();
    let waiting =
        |count: u64| eventually("they wait", || gateway.upstream("api")["queue"]["waiting"] == count);
    let _held = held(&gateway, 1);
    a.holds(1);
    let leaves = gateway.begin_get("/leaves");
    waiting(1);
    let mut stays = gateway.begin_get("/stays");
    waiting(2);

    drop(leaves);
    waiting(1);
    a.release();
    assert_eq!(stays.answer().status(), 200);
    assert!(!a.requests().iter().any(|request| request.target() == "/leaves"));
}

#[test]
fn a_backend_that_comes_back_serves_those_who_wait() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with("max_conns = 1\nqueue = 9").start();
    gateway.tell(&["drain", "api", &b.to_string()]);
    let _held = held(&gateway, 1);
    a.holds(1);
    let mut waits = gateway.begin_get("/");
    eventually("it waits", || gateway.upstream("api")["queue"]["waiting"] == 1);

    gateway.tell(&["undrain", "api", &b.to_string()]);
    assert_eq!(waits.answer().backend(), "b");
    a.release();
}
