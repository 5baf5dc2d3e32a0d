//! Requests sent before the answers to earlier ones.

use crate::harness::{backend, backends, gateway, with_body};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let echo = backend("echo", |request| with_body("echo", request.target()));
    let gateway = gateway().upstream("api", [&echo]).start();
    let mut client = gateway.client();

    client.send((0..10).map(|i| format!("GET /{i} HTTP/1.1\r\nHost: test\r\n\r\n")).collect::<String>());
    for i in 0..10 {
        assert_eq!(client.answer().text(), format!("/{i}"));
    }
}

#[test]
fn a_request_behind_a_body_begins_where_the_body_ends() {
    let echo =
        backend("echo", |request| with_body("echo", &format!("{} {}", request.method(), request.text())));
    let gateway = gateway().upstream("api", [&echo]).start();
    let mut client = gateway.client();

    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyou\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let answers = [client.answer().text(), client.answer().text(), client.answer().text()];
    assert_eq!(answers, ["POST hello", "POST you", "GET "]);
}

#[test]
fn a_request_behind_a_held_one_waits_for_its_turn() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let mut client = gateway.begin_get("/held");
    client.send("GET /second HTTP/1.1\r\nHost: test\r\n\r\n");

    a.holds(1);
    assert_eq!(a.hits(), 1);
    a.release();
    assert_eq!((client.answer().status(), client.answer().status()), (200, 200));
    assert_eq!(a.requests()[1].target(), "/second");
}
