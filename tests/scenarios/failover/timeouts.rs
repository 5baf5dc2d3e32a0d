//! Too slow, on every side. The times are short so that the tests are; each is waited for as an
//! answer or a close, never slept.

use crate::harness::{backends, gateway, script, silent};

const FIRST: &str = "{ use = \"round_robin\", start = \"first\" }";

#[test]
fn a_backend_that_does_not_answer_is_a_504() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("read_timeout = \"100ms\"").start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    let mut connection = backend.accept();
    connection.request();

    assert_eq!(client.answer().status(), 504);
    assert!(connection.closes());
    assert_eq!(gateway.backend("api", &backend, "timed_out"), 1);
}

#[test]
fn a_get_moves_on_from_a_silent_backend() {
    let (silent, [good]) = (script(), backends(["good"]));
    let gateway = gateway()
        .upstream("api", [silent.to_string(), good.to_string()])
        .policy(FIRST)
        .with("read_timeout = \"100ms\"")
        .start();

    assert_eq!(gateway.get("/").backend(), "good");
}

#[test]
fn a_post_does_not() {
    let (silent, [good]) = (script(), backends(["good"]));
    let gateway = gateway()
        .upstream("api", [silent.to_string(), good.to_string()])
        .policy(FIRST)
        .with("read_timeout = \"100ms\"")
        .start();
    let answer = gateway.ask("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");

    assert_eq!((answer.status(), good.hits()), (504, 0));
}

#[test]
fn a_backend_that_does_not_take_connections_is_passed_over() {
    let (gone, [good]) = (silent(), backends(["good"]));
    let gateway = gateway()
        .upstream("api", [gone.to_string(), good.to_string()])
        .policy(FIRST)
        .with("connect_timeout = \"200ms\"")
        .start();
    let answer = gateway.ask("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");

    assert_eq!((answer.backend().as_str(), good.only_request().text().as_str()), ("good", "hello"));
    assert_eq!(gateway.backend("api", &gone, "connect_failed"), 1);
}

#[test]
fn an_answer_that_stalls_is_cut() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("read_timeout = \"100ms\"").start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");

    assert!(client.answer_or_cut().cut);
    assert!(connection.closes());
}

#[test]
fn read_timeout_counts_silence_not_length() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("read_timeout = \"400ms\"").start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
    client.head();
    for _ in 0..10 {
        // Half the allowed silence, ten times: longer in all than a single one may be.
        std::thread::sleep(std::time::Duration::from_millis(100));
        connection.send("hi");
        assert_eq!(client.bytes(2), b"hi");
    }
}

#[test]
fn a_client_that_never_speaks_is_closed() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nheader_timeout = \"100ms\"").upstream("api", [&a]).start();
    assert!(gateway.client().closes(), "the timer runs from accept on");
}

#[test]
fn a_head_that_dribbles_is_a_408() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nheader_timeout = \"300ms\"").upstream("api", [&a]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: te");
    while client.is_quiet() && client.try_send("x").is_ok() {}

    let answer = client.try_head().map(|head| head.start);
    assert!(answer.as_ref().is_none_or(|start| start.contains(" 408 ")), "{answer:?}");
    assert_eq!(a.hits(), 0);
}

#[test]
fn a_body_that_stalls_is_a_408() {
    let backend = script();
    let gateway = gateway().section("[limits]\nbody_timeout = \"100ms\"").upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf");

    assert_eq!(client.answer().status(), 408);
    assert!(client.closes());
    assert!(backend.accept().try_request().is_none());
}
