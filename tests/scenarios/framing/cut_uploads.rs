//! A request that its client did not finish is never whole to the backend.

use crate::harness::{gateway, script};

const PARTS: [&str; 3] = [
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf",
    "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
];

#[test]
fn a_client_that_ends_inside_its_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for part in PARTS {
        let mut client = gateway.begin(part);
        let mut connection = backend.accept();
        let head = connection.head();
        client.finish();

        assert!(!connection.rest().ends_with(b"0\r\n\r\n"), "{head:?}");
        let answer = client.try_head().map(|head| head.start);
        assert!(answer.as_ref().is_none_or(|start| start.contains(" 400 ")), "{answer:?}");
    }
}

#[test]
fn a_client_that_resets_inside_its_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for part in PARTS {
        let client = gateway.begin(part);
        let mut connection = backend.accept();
        connection.head();
        client.reset();

        assert!(!connection.rest().ends_with(b"0\r\n\r\n"));
    }
}

#[test]
fn a_head_that_never_ends_reaches_nobody() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\n");
    client.finish();

    client.rest();
    assert!(backend.try_accept().is_none());
}
