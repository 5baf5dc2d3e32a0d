//! Expect: 100-continue (RFC 9110 section 10.1.1).

use crate::harness::{gateway, script};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(HEAD);

    assert_eq!(client.answer().start, "HTTP/1.1 100 Continue");
    client.send("hello");
    let mut connection = backend.accept();
    assert_eq!(connection.request().text(), "hello");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn a_client_that_does_not_wait_is_served_as_well() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(&format!("{HEAD}hello"));

    let mut connection = backend.accept();
    assert_eq!(connection.request().text(), "hello");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let first = client.answer();
    let last = if first.status() == 100 { client.answer() } else { first };
    assert_eq!(last.status(), 200);
}

#[test]
fn a_refusal_reaches_a_client_that_still_waits() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(HEAD);

    let mut connection = backend.accept();
    connection.head();
    connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let first = client.answer();
    let last = if first.status() == 100 { client.answer() } else { first };
    assert_eq!(last.status(), 403);
}

#[test]
fn an_unrouted_request_is_refused_without_a_continue() {
    let backend = script();
    let gateway = gateway().route("path = \"/only\"\nupstream = \"api\"").upstream("api", [&backend]).start();

    assert_eq!(gateway.ask(HEAD).status(), 404);
}

#[test]
fn the_body_behind_a_refusal_is_no_request() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let hidden = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n";
    let head = HEAD.replace("Content-Length: 5", &format!("Content-Length: {}", hidden.len()));
    let mut client = gateway.begin(&head);
    let mut connection = backend.accept();
    connection.head();
    connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    while client.answer().status() != 403 {}

    let _ = client.try_send(hidden);
    client.finish();
    client.rest();
    assert!(backend.try_accept().is_none(), "what was announced as a body stays one");
}

#[test]
fn expectations_that_are_none_change_nothing() {
    for odd in ["100-continued", "200-ok", "x=y;z", "100-continue, 100-continue", ""] {
        let [a] = crate::harness::backends(["a"]);
        let gateway = gateway().upstream("api", [&a]).start();
        let mut client = gateway.begin(&HEAD.replace("100-continue", odd));
        client.send("hello");

        let first = client.answer();
        let last = if first.status() == 100 { client.answer() } else { first };
        assert!(matches!((last.status(), a.hits()), (200, 1) | (417, 0)), "{odd:?}: {last:?}");
        assert!(a.requests().iter().all(|r| r.text() == "hello" && !r.has("expect")), "{odd:?}");
    }
}
