//! An answer that its backend did not finish looks unfinished to the client (RFC 9112 section 8).

use crate::harness::{Wire, eventually, gateway, script};

/// Lets a backend begin an answer and end as `end` says; the client must see the cut, and the
/// attempt must count as broken.
#[track_caller]
fn looks_cut(answer: &str, end: impl FnOnce(Wire)) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send(answer);
    end(connection);

    let got = client.answer_or_cut();
    assert_eq!((got.status(), got.text().as_str(), got.cut), (200, "half", true), "{got:?}");
    eventually("counted as broken", || gateway.backend("api", &backend, "broken") == 1);
}

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";

#[test]
fn closed_inside_a_length() {
    looks_cut(LENGTH, drop);
}

#[test]
fn closed_between_chunks() {
    looks_cut(CHUNKS, drop);
}

#[test]
fn closed_before_the_last_empty_line() {
    looks_cut(&format!("{CHUNKS}0\r\n"), drop);
}

#[test]
fn followed_by_what_is_no_chunk() {
    looks_cut(&format!("{CHUNKS}what?\r\n"), drop);
}

#[test]
fn reset_inside_an_answer() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send(CHUNKS);
    assert_eq!((client.head().start.as_str(), client.chunk().as_slice()), ("HTTP/1.1 200 OK", &b"half"[..]));

    connection.reset();
    assert!(client.closes(), "without a last chunk");
}

#[test]
fn an_http_1_0_client_sees_a_cut_of_a_declared_length() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
    let mut connection = backend.accept();
    connection.request();
    connection.send(LENGTH);
    drop(connection);

    let got = client.answer_or_cut();
    assert_eq!((got.field("content-length"), got.cut), ("8".into(), true));
}
