//! A client that goes away ends its request at the backend too, and nothing stays counted.

use crate::harness::{Gateway, Script, Wire, eventually, gateway, script};

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    (backend, gateway)
}

fn ends_as_cancelled(gateway: &Gateway, backend: &Script, connection: &mut Wire) {
    assert!(connection.closes(), "the backend sees the end of its connection");
    eventually("the attempt ends as cancelled", || gateway.backend("api", backend, "cancelled") == 1);
    assert_eq!(gateway.backend("api", backend, "in_flight"), 0);
}

#[test]
fn leaving_before_the_answer_ends_the_request() {
    let (backend, gateway) = started();
    let client = gateway.begin_get("/slow");
    let mut connection = backend.accept();
    connection.request();

    drop(client);
    ends_as_cancelled(&gateway, &backend, &mut connection);
}

#[test]
fn resetting_before_the_answer_ends_the_request() {
    let (backend, gateway) = started();
    let client = gateway.begin_get("/slow");
    let mut connection = backend.accept();
    connection.request();

    client.reset();
    ends_as_cancelled(&gateway, &backend, &mut connection);
}

#[test]
fn leaving_inside_the_answer_ends_it() {
    let (backend, gateway) = started();
    let mut client = gateway.begin_get("/stream");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    client.head();

    drop(client);
    ends_as_cancelled(&gateway, &backend, &mut connection);
}

#[test]
fn leaving_inside_an_upload_ends_it() {
    let (backend, gateway) = started();
    let client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf");
    let mut connection = backend.accept();
    connection.head();
    assert_eq!(connection.bytes(4), b"half");

    client.reset();
    ends_as_cancelled(&gateway, &backend, &mut connection);
}

#[test]
fn the_gateway_keeps_nothing_of_those_who_left() {
    let (backend, gateway) = started();
    let leave = || {
        let client = gateway.begin_get("/slow");
        let mut connection = backend.accept();
        connection.request();
        drop(client);
        assert!(connection.closes());
    };
    leave();
    eventually("all of it has started", || gateway.backend("api", &backend, "cancelled") == 1);
    let descriptors = gateway.descriptors();
    (0..50).for_each(|_| leave());
    eventually("all descriptors are closed", || gateway.descriptors() <= descriptors);
}
