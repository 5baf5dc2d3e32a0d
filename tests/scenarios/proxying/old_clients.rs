//! HTTP/1.0 clients, such as `ab`.

use crate::harness::{gateway, script};

#[test]
fn an_http_1_0_connection_closes_after_the_answer() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET /old HTTP/1.0\r\nHost: test\r\n\r\n");

    let mut connection = backend.accept();
    assert_eq!(connection.request().start, "GET /old HTTP/1.1");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().text(), "hi");
    assert!(client.closes());
}

#[test]
fn an_http_1_0_connection_is_kept_on_request() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.client();

    let mut connection = None;
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
        let connection = connection.get_or_insert_with(|| backend.accept());
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer().field("connection"), "keep-alive");
    }
}

#[test]
fn chunks_are_taken_apart_for_http_1_0() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.0\r\nHost: test\r\n\r\n");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n");
    assert!(!client.head().has("transfer-encoding"));
    assert_eq!(client.rest(), b"hi!");
}

#[test]
fn http_1_0_needs_no_host() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.0\r\n\r\n");

    let mut connection = backend.accept();
    assert_eq!(connection.request().all("host").len(), 1, "HTTP/1.1 does");
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.answer().status(), 204);
}
