//! A client's nonsense inside a chunked body: the backend never sees the end of such a request,
//! and the client is told that it was the client's fault, or is cut off.

use crate::harness::{Backend, Gateway, backends, gateway};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";

#[track_caller]
fn never_ends_well(gateway: &Gateway, backend: &Backend, body: &str) {
    let mut client = gateway.begin(&format!("{HEAD}{body}GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n"));
    let answer = client.try_answer();
    assert!(answer.as_ref().is_none_or(|a| a.status() == 400), "{answer:?} for {body:?}");
    assert!(client.closes(), "the connection is of no more use after {body:?}");
    assert_eq!(backend.hits(), 0, "a whole request was made of {body:?}: {:?}", backend.requests());
}

#[test]
fn sizes_that_are_none() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    for size in ["0x5", "+5", "-5", "", "5_0", "g", "fffffffffffffffff", " 5", "5 5"] {
        never_ends_well(&gateway, &a, &format!("{size}\r\nhello\r\n0\r\n\r\n"));
    }
}

#[test]
fn chunks_that_do_not_end_where_they_say() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    for body in [
        "5\r\nhello0\r\n\r\n",
        "3\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
    ] {
        never_ends_well(&gateway, &a, body);
    }
}

#[test]
fn a_line_feed_inside_an_extension() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    never_ends_well(&gateway, &a, "5;a\nb\r\nhello\r\n0\r\n\r\n");
}

#[test]
fn an_endless_extension() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    never_ends_well(&gateway, &a, &format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(256 << 10)));
}

#[test]
fn endless_trailers() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let trailers = "X-Trailer: again and again\r\n".repeat(20_000);
    let mut client = gateway.begin(HEAD);
    let _ = client.try_send(format!("5\r\nhello\r\n0\r\n{trailers}\r\n"));

    let answer = client.try_answer();
    assert!(answer.as_ref().is_none_or(|a| matches!(a.status(), 400 | 413 | 431)), "{answer:?}");
    assert_eq!(a.hits(), 0);
}

#[test]
fn more_extensions_than_body() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let chunks = format!("1;{}\r\nx\r\n", "x".repeat(200)).repeat(4_000);
    let mut client = gateway.begin(HEAD);
    let _ = client.try_send(format!("{chunks}0\r\n\r\n"));

    let answer = client.try_answer();
    assert!(answer.as_ref().is_none_or(|a| a.status() == 400), "{answer:?}");
    assert_eq!(a.hits(), 0);
}
