//! least_conn and fair.

use std::time::Duration;

use crate::harness::{Load, backend, backends, counts, eventually, gateway, ok};

#[test]
fn least_conn_avoids_the_busy_one() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).policy("least_conn").start();
    let mut held = gateway.begin_get("/held");
    eventually("one of them is busy", || a.held() + b.held() == 1);

    let (busy, idle) = if a.held() == 1 { (&a, &b) } else { (&b, &a) };
    assert_eq!(gateway.picks(5), vec![idle.name.clone(); 5]);
    busy.release();
    assert_eq!(held.answer().backend(), busy.name);
    assert!(gateway.picks(4).contains(&busy.name), "idle again, it serves again");
}

#[test]
fn least_conn_sees_what_other_workers_have_in_flight() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().top("workers = 2").upstream("api", [&a, &b]).policy("least_conn").start();
    let mut held = Vec::new();
    for count in 1..=20 {
        held.push(gateway.begin_get("/held"));
        eventually("held", || a.held() + b.held() == count);
    }
    assert_eq!((a.held(), b.held()), (10, 10));
}

#[test]
fn least_conn_weighs() {
    let [a, b] = backends(["a", "b"]);
    let gateway =
        gateway().upstream("api", [a.entry("weight = 3"), b.to_string()]).policy("least_conn").start();
    let mut held = Vec::new();
    for count in 1..=12 {
        held.push(gateway.begin_get("/held"));
        eventually("held", || a.held() + b.held() == count);
    }
    assert_eq!((a.held(), b.held()), (9, 3));
}

#[test]
fn fair_prefers_the_fast() {
    // The sleep is the work of a slow backend, not a wait of the test.
    let slow = backend("slow", |_| {
        std::thread::sleep(Duration::from_millis(30));
        ok("slow")
    });
    let [fast] = backends(["fast"]);
    let gateway = gateway().upstream("api", [&slow, &fast]).policy("fair").start();
    let load = Load::on(&gateway, 4);
    load.goes_on_for(200);
    load.stop();

    assert!(fast.hits() > 3 * slow.hits(), "{} fast, {} slow", fast.hits(), slow.hits());
    assert!(gateway.backend("api", &slow, "latency_us") > gateway.backend("api", &fast, "latency_us"));
}

#[test]
fn fair_is_no_black_hole() {
    let failing = backend("failing", |_| {
        b"HTTP/1.1 500 Oops\r\nX-Backend: failing\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let working = backend("working", |_| {
        std::thread::sleep(Duration::from_millis(5));
        ok("working")
    });
    let gateway = gateway().upstream("api", [&failing, &working]).policy("fair").start();

    let picks = gateway.picks(100);
    let failed = picks.iter().filter(|name| *name == "failing").count();
    assert!(
        failed < 40,
        "failing at once must not look fast: {:?}",
        counts(picks.iter().map(String::as_str))
    );
}

#[test]
fn fair_uses_equals_equally() {
    // The work of the backends, long enough for what a busy machine adds to it not to matter.
    let [a, b] = ["a", "b"].map(|name| {
        backend(name, move |_| {
            std::thread::sleep(Duration::from_millis(10));
            ok(name)
        })
    });
    let gateway = gateway().upstream("api", [&a, &b]).policy("fair").start();
    let load = Load::on(&gateway, 8);
    load.goes_on_for(500);
    load.stop();

    assert!(a.hits().min(b.hits()) > 150, "{} and {}", a.hits(), b.hits());
}
