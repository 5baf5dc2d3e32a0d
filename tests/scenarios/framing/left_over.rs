//! Bytes behind an answer are no answer to the next request: the connection is not used again.

use crate::harness::{gateway, script};

#[track_caller]
fn is_not_used_again(method: &str, answer: &str) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(&format!("{method} /first HTTP/1.1\r\nHost: test\r\n\r\n"));
    let mut connection = backend.accept();
    connection.request();
    connection.send(answer);
    let first = if method == "HEAD" { client.answer_to_head() } else { client.answer() };
    assert!(matches!(first.status(), 200 | 204 | 304), "{first:?}");

    client.send("GET /second HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut fresh = backend.accept();
    assert_eq!(fresh.request().target(), "/second");
    fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue");
    assert_eq!(client.answer().text(), "true");
    assert!(connection.closes(), "after {answer:?}");
}

const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

#[test]
fn a_second_answer_behind_the_first() {
    is_not_used_again("GET", &format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi{POISON}"));
}

#[test]
fn a_second_answer_behind_the_last_chunk() {
    is_not_used_again(
        "GET",
        &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n{POISON}"),
    );
}

#[test]
fn more_than_the_declared_length() {
    is_not_used_again("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhigh");
}

#[test]
fn a_body_behind_an_answer_to_head() {
    is_not_used_again("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
}

#[test]
fn a_body_behind_no_content() {
    is_not_used_again("GET", &format!("HTTP/1.1 204 No Content\r\n\r\n{POISON}"));
}

#[test]
fn a_body_behind_not_modified() {
    is_not_used_again("GET", &format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n{POISON}"));
}

#[test]
fn an_answer_that_comes_while_nobody_asks() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/first");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().text(), "hi");

    connection.send(POISON);
    assert!(connection.closes(), "an idle connection that speaks is closed");
    client.send("GET /second HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(backend.accept().request().target(), "/second");
}
