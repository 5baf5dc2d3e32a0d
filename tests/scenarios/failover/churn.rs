//! Backends that come and go: as long as one is well, nobody is failed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::harness::{Backend, Load, Wire, backends, gateway};

#[test]
fn a_backend_that_keeps_dying_fails_nobody() {
    let [a, b, mut c] = backends(["a", "b", "c"]);
    let gateway = gateway().top("workers = 2").upstream("api", [&a, &b, &c]).start();
    let load = Load::on(&gateway, 6);

    for _ in 0..15 {
        load.goes_on_for(40);
        c.stop();
        load.goes_on_for(40);
        c.restart();
    }
    load.stop();
    assert!(c.hits() > 0, "it took part");
}

#[test]
fn a_whole_fleet_is_replaced_one_by_one() {
    let mut fleet = backends(["a", "b", "c"]);
    let gateway = gateway().upstream("api", &fleet).policy("least_conn").start();
    let load = Load::on(&gateway, 4);

    for _ in 0..3 {
        for backend in &mut fleet {
            backend.stop();
            load.goes_on_for(30);
            backend.restart();
            load.goes_on_for(30);
        }
    }
    load.stop();
}

#[test]
fn no_post_is_doubled_while_backends_die() {
    let [a, mut b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    let mut answered = 0;
    for i in 0..60 {
        match i % 10 {
            4 => b.stop(),
            8 => b.restart(),
            _ => {}
        }
        let request = format!("POST /{i} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
        answered += usize::from(gateway.ask(&request).status() == 200);
    }

    let mut seen: Vec<_> =
        [a.requests(), b.requests()].concat().iter().map(|r| r.target().to_owned()).collect();
    seen.sort();
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all, "none twice");
    assert_eq!(answered, 60, "an idle connection that died is noticed before a POST is sent on it");
}

/// POSTs, one after another, each for a path of its own, until told to stop: how many were
/// answered with 200, and how many with 502.
fn posts(address: &str, over: &AtomicBool, next: &AtomicUsize) -> (usize, usize) {
    let (mut served, mut failed) = (0, 0);
    let mut client = Wire::to(address);
    while !over.load(SeqCst) {
        let number = next.fetch_add(1, SeqCst);
        client.send(format!("POST /{number} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello"));
        match client.answer().status() {
            200 => served += 1,
            502 => failed += 1,
            status => panic!("{status}"),
        }
    }
    (served, failed)
}

/// Ends the POSTs also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn no_target_twice(backends: &[Backend]) {
    let mut seen: Vec<_> = backends.iter().flat_map(Backend::requests).collect();
    seen.retain(|request| request.method() == "POST");
    let all = seen.len();
    let mut targets: Vec<_> = seen.iter().map(|request| request.target()).collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), all, "POSTs that were sent twice");
}

/// Three backends, of which one dies and comes back all the time, under GETs and POSTs at once.
fn while_one_keeps_dying(rules: &str) {
    let mut fleet = backends(["a", "b", "c"]);
    let gateway = gateway().top("workers = 2").upstream("api", &fleet).with(rules).start();
    let (over, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = gateway.address();
    let (served, failed) = std::thread::scope(|scope| {
        let posting = scope.spawn(|| posts(address, &over, &next));
        let ending = Over(&over);
        let load = Load::on(&gateway, 6);
        for round in 0..12 {
            fleet[round % 3].stop();
            load.goes_on_for(60);
            fleet[round % 3].restart();
            load.goes_on_for(60);
        }
        load.stop();
        drop(ending);
        posting.join().expect("the POSTs are answered")
    });
    no_target_twice(&fleet);
    assert!(failed * 10 <= served, "no outage: {failed} of {served} POSTs failed");
}

#[test]
fn gets_do_not_fail_and_posts_are_not_doubled_with_ejection_as_it_is() {
    while_one_keeps_dying("");
}

#[test]
fn nor_with_nginxs_passive_checks() {
    while_one_keeps_dying("ejection = { errors = 0 }\nmax_fails = 1\nfail_timeout = \"1s\"");
}

#[test]
fn nor_without_any() {
    while_one_keeps_dying("ejection = { errors = 0 }");
}
