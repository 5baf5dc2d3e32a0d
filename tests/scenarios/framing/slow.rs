//! Clients that take their time, many of them: they cost little, and others are served meanwhile.

use crate::harness::{Gateway, Wire, backends, eventually, gateway};

fn started(limits: &str) -> (crate::harness::Backend, Gateway) {
    let [a] = backends(["a"]);
    let gateway = gateway().section(&format!("[limits]\n{limits}")).upstream("api", [&a]).start();
    (a, gateway)
}

#[test]
fn a_thousand_heads_that_dribble_in_cost_little_and_end_in_time() {
    let (_a, gateway) = started("header_timeout = \"2s\"");
    let before = gateway.memory();
    let begin = |_| gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nX-Slow: ");
    let mut slow: Vec<Wire> = (0..1_000).map(begin).collect();
    for client in &mut slow {
        let _ = client.try_send("x");
    }

    assert_eq!(gateway.get("/").status(), 200);
    let each = (gateway.memory() - before) / 1_000;
    assert!(each < 16, "{each} KiB each");
    for client in &mut slow {
        let _ = client.try_send("x");
        assert_eq!(client.try_answer().map(|answer| answer.status()), Some(408));
    }
}

#[test]
fn a_thousand_that_say_nothing_are_closed_in_time() {
    let (_a, gateway) = started("header_timeout = \"1s\"");
    let mut silent: Vec<Wire> = (0..1_000).map(|_| gateway.client()).collect();

    assert_eq!(gateway.get("/").status(), 200);
    assert!(silent.iter_mut().all(Wire::closes));
    eventually("the gateway has forgotten them", || gateway.state()["connections"]["open"] == 0);
}

#[test]
fn a_body_that_stops_is_not_waited_for_for_ever() {
    let (_a, gateway) = started("body_timeout = \"200ms\"");
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf");

    let answer = client.answer();
    assert_eq!(answer.status(), 408);
    assert!(answer.text().contains("limits.body_timeout"), "{}", answer.text());
}

#[test]
fn a_reader_that_stops_is_not_waited_for_for_ever() {
    let backend = crate::harness::script();
    let gateway = gateway().section("[limits]\nsend_timeout = \"200ms\"").upstream("api", [&backend]).start();
    let _client = gateway.begin_get("/large");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    while connection.try_send(&piece).is_ok() {}

    eventually("nothing is in flight", || gateway.backend("api", &backend, "in_flight") == 0);
}
