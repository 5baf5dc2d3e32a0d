//! Backends that come and go: as long as one is well, nobody is failed.

use crate::harness::{Load, backends, gateway};

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
