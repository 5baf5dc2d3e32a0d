//! Lengths, chunks and ends, in both directions.

use crate::harness::{gateway, script};

#[test]
fn a_declared_length_stays_declared() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");

    let mut connection = backend.accept();
    let request = connection.request();
    assert_eq!((request.field("content-length"), request.text()), ("5".into(), "hello".into()));
    assert!(!request.has("transfer-encoding"));

    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome");
    let answer = client.answer();
    assert_eq!((answer.field("content-length"), answer.text()), ("7".into(), "welcome".into()));
    assert!(!answer.has("transfer-encoding"));
}

#[test]
fn chunks_stay_chunked() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\nhel\r\n2;an=extension\r\nlo\r\n0\r\n\r\n");

    let mut connection = backend.accept();
    let request = connection.request();
    assert_eq!((request.field("transfer-encoding"), request.text()), ("chunked".into(), "hello".into()));
    assert!(!request.has("content-length"));

    connection
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwelc\r\n003\r\nome\r\n0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.field("transfer-encoding"), answer.text()), ("chunked".into(), "welcome".into()));
    assert!(!answer.has("content-length"));
}

#[test]
fn an_answer_that_ends_with_its_connection_is_chunked_for_the_client() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\n\r\nup to the end");
    drop(connection);

    let answer = client.answer();
    assert_eq!(
        (answer.field("transfer-encoding"), answer.text()),
        ("chunked".into(), "up to the end".into())
    );
}

#[test]
fn a_backend_may_speak_http_1_0() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.client();

    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let mut connection = backend.accept();
        connection.request();
        connection.send("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold");
        let answer = client.answer();
        assert_eq!((answer.start.as_str(), answer.text()), ("HTTP/1.1 200 OK", "old".into()));
        assert!(connection.closes(), "HTTP/1.0 keeps no connection unless it says so");
    }
}

#[test]
fn a_body_of_no_bytes_is_a_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");

    let mut connection = backend.accept();
    assert_eq!(connection.request().field("content-length"), "0");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().field("content-length"), "0");
}

#[test]
fn a_get_without_a_body_gets_no_framing() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let _client = gateway.begin_get("/");

    let request = backend.accept().request();
    assert!(!request.has("content-length") && !request.has("transfer-encoding"), "{request:?}");
}

#[test]
fn a_get_may_have_a_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let _client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nquery");

    assert_eq!(backend.accept().request().text(), "query");
}
