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
