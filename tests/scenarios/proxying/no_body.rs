//! Answers that have no body, whatever their fields say. After each, the same two connections
//! serve the next request: neither side waits for bytes that never come.

use crate::harness::{Script, Wire, gateway, script};

fn next_request_is_served(client: &mut Wire, connection: &mut Wire, backend: &Script) {
    client.send("GET /next HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(connection.request().target(), "/next");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
    assert_eq!(client.answer().text(), "next");
    assert!(backend.try_accept().is_none());
}

#[test]
fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");

    let mut connection = backend.accept();
    assert_eq!(connection.request().method(), "HEAD");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    assert_eq!(client.answer_to_head().field("content-length"), "1000");
    next_request_is_served(&mut client, &mut connection, &backend);
}

#[test]
fn a_chunked_answer_to_head_has_no_body_either() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.answer_to_head().status(), 200);
    next_request_is_served(&mut client, &mut connection, &backend);
}

#[test]
fn no_content_has_no_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status(), 204);
    assert!(!answer.has("content-length") && !answer.has("transfer-encoding"), "{answer:?}");
    next_request_is_served(&mut client, &mut connection, &backend);
}

#[test]
fn no_content_has_no_length_either() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status(), answer.has("content-length")), (204, false), "RFC 9110 section 8.6");
    next_request_is_served(&mut client, &mut connection, &backend);
}

#[test]
fn not_modified_has_no_body_and_may_tell_a_length() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nIf-None-Match: \"x\"\r\n\r\n");

    let mut connection = backend.accept();
    assert_eq!(connection.request().field("if-none-match"), "\"x\"");
    connection.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status(), answer.field("etag")), (304, "\"x\"".into()));
    next_request_is_served(&mut client, &mut connection, &backend);
}
