//! Nothing is lost: no request fails, and no client's connection is closed, whatever is changed.

use crate::harness::{Load, backends, eventually, gateway, guest};

#[test]
fn many_reloads_fail_nobody() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().top("workers = 2").upstream("api", [&a]).start();
    let load = Load::on(&gateway, 6);

    for round in 0..30 {
        let to = if round % 2 == 0 { &b } else { &a };
        gateway.rewrite(|text| text.replace(&a.to_string(), &to.to_string()));
        assert_eq!(gateway.control("POST", "/reload").status(), 200);
        load.goes_on_for(30);
    }
    assert!(load.stop() > 900);
    assert!(a.hits() > 0 && b.hits() > 0);
}

#[test]
fn many_versions_of_a_policy_fail_nobody() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .top("workers = 2")
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    let load = Load::on(&gateway, 4);

    for round in 1..=20 {
        let (index, backend) = if round % 2 == 1 { (1, &b) } else { (0, &a) };
        gateway.write("policies/mine.wat", guest::always(index));
        let hits = backend.hits();
        eventually("the new version picks", || backend.hits() > hits + 10);
    }
    load.stop();
}

#[test]
fn refused_reloads_fail_nobody() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let load = Load::on(&gateway, 4);

    gateway.rewrite(|text| text.replace("policy", "polish") + "\nnonsense = 1\n");
    for _ in 0..10 {
        assert_ne!(gateway.control("POST", "/reload").status(), 200);
        load.goes_on_for(20);
    }
    load.stop();
}

#[test]
fn a_policy_that_keeps_failing_fails_nobody() {
    let [a, b] = backends(["a", "b"]);
    let bad = guest::poisoned(1, "(unreachable)");
    let gateway = gateway()
        .top("workers = 2")
        .file("policies/bad.wat", bad)
        .upstream("api", [&a, &b])
        .policy("bad")
        .start();
    let load = Load::on(&gateway, 4);

    for _ in 0..50 {
        assert_eq!(gateway.ask(&guest::poison()).status(), 200);
    }
    load.goes_on_for(50);
    load.stop();
}

#[test]
fn reloads_leave_nothing_behind() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let mut client = gateway.client();
    let mut rounds = |count: usize| {
        for _ in 0..count {
            assert_eq!(gateway.control("POST", "/reload").status(), 200);
            client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            assert_eq!(client.answer().status(), 200);
        }
    };
    rounds(20);
    let (memory, descriptors) = (gateway.memory(), gateway.descriptors());
    rounds(100);

    assert!(gateway.memory() < memory + (8 << 10), "{memory} grew to {} KiB", gateway.memory());
    eventually("all descriptors are closed", || gateway.descriptors() <= descriptors);
}
