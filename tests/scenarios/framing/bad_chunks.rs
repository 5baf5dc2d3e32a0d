//! A client's nonsense inside a chunked body: the backend never sees the end of such a request,
//! and the client is told that it was the client's fault, or is cut off.

use crate::harness::{Gateway, Script, gateway, script};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";

#[track_caller]
fn never_ends_well(gateway: &Gateway, backend: &Script, body: &str) {
    let mut client = gateway.begin(&format!("{HEAD}{body}GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n"));
    let status = client.try_head().map(|head| head.start);
    // Whatever the backend got, it is not a whole request.
    if let Some(mut connection) = backend.try_accept() {
        assert!(connection.try_request().is_none(), "a whole request from {body:?}");
    }
    assert!(status.as_ref().is_none_or(|s| s.contains(" 400 ")), "{status:?} for {body:?}");
    client.rest();
}

#[test]
fn sizes_that_are_none() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for size in ["0x5", "+5", "-5", "", "5_0", "g", "fffffffffffffffff", " 5", "5 5"] {
        never_ends_well(&gateway, &backend, &format!("{size}\r\nhello\r\n0\r\n\r\n"));
    }
}

#[test]
fn chunks_that_do_not_end_where_they_say() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for body in ["5\r\nhello0\r\n\r\n", "3\r\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n"] {
        never_ends_well(&gateway, &backend, body);
    }
}

#[test]
fn a_line_feed_inside_an_extension() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    never_ends_well(&gateway, &backend, "5;a\nb\r\nhello\r\n0\r\n\r\n");
}

#[test]
fn an_endless_extension() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    never_ends_well(&gateway, &backend, &format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(256 << 10)));
}

#[test]
fn endless_trailers() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let trailers = "X-Trailer: again and again\r\n".repeat(20_000);
    let mut client = gateway.begin(HEAD);
    let _ = client.try_send(format!("5\r\nhello\r\n0\r\n{trailers}\r\n"));

    if let Some(mut connection) = backend.try_accept() {
        assert!(connection.try_request().is_none());
    }
    let status = client.try_head().map(|head| head.start);
    assert!(status.as_ref().is_none_or(|s| [" 400 ", " 413 ", " 431 "].iter().any(|c| s.contains(c))), "{status:?}");
}
