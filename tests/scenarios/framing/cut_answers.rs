//! An answer that its backend did not finish looks unfinished to the client (RFC 9112 section 8).

use crate::harness::{Wire, eventually, gateway, script};

/// Lets a backend begin an answer, and end it as `end` says once the client has the beginning. The
/// client must see the cut, and the attempt must count as broken.
#[track_caller]
fn looks_cut(beginning: &str, end: impl FnOnce(Wire)) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send(beginning);
    let head = client.head();
    let half = if head.has("content-length") { client.bytes(4) } else { client.chunk() };
    assert_eq!(half, b"half");

    end(connection);
    assert!(!client.rest().ends_with(b"0\r\n\r\n"), "no last chunk is invented");
    eventually("counted as broken", || gateway.backend("api", &backend, "broken") == 1);
}

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";

#[test]
fn closed_inside_a_length() {
    looks_cut(LENGTH, drop);
}

#[test]
fn reset_inside_a_length() {
    looks_cut(LENGTH, Wire::reset);
}

#[test]
fn closed_between_chunks() {
    looks_cut(CHUNKS, drop);
}

#[test]
fn reset_between_chunks() {
    looks_cut(CHUNKS, Wire::reset);
}

#[test]
fn closed_before_the_last_empty_line() {
    looks_cut(CHUNKS, |mut connection| connection.send("0\r\n"));
}

#[test]
fn followed_by_what_is_no_chunk() {
    for no_chunk in ["what?\r\n", "-1\r\n", "2\r\nlonger than two\r\n", "fffffffffffffffff\r\n"] {
        looks_cut(CHUNKS, |mut connection| {
            connection.send(no_chunk);
            // Open for as long as it takes the gateway to judge.
            connection.rest();
        });
    }
}

#[test]
fn followed_by_more_than_anybody_reads() {
    for (begin, more) in
        [("2;", "more=more;"), ("0\r\n", "X-Trailer: again and again\r\n"), ("0\r\nX: ", "y")]
    {
        looks_cut(CHUNKS, |mut connection| {
            connection.send(begin);
            // The gateway stops reading at some point; that is what is wanted.
            let _ = connection.try_send(more.repeat((512 << 10) / more.len()));
            connection.rest();
        });
    }
}

#[test]
fn cut_before_the_client_saw_anything() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for beginning in [LENGTH, CHUNKS] {
        let mut client = gateway.begin_get("/");
        let mut connection = backend.accept();
        connection.request();
        connection.send(beginning);
        drop(connection);

        let answer = client.try_answer();
        assert!(answer.as_ref().is_none_or(|a| a.cut || a.status() == 502), "{answer:?}");
    }
}

#[test]
fn an_http_1_0_client_sees_a_cut_of_a_declared_length() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
    let mut connection = backend.accept();
    connection.request();
    connection.send(LENGTH);
    assert_eq!(client.head().field("content-length"), "8");
    drop(connection);

    assert_eq!(client.rest(), b"half");
}
