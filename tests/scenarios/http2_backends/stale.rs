//! A connection of HTTP/2 that ends: unnoticed while idle, or exactly when it is used again.

use crate::harness::{Gateway, H2Backend, Script, Wire, gateway, script};

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";

/// A gateway with one connection to its backend, which has served.
fn with_a_connection() -> (Script, Gateway, Wire, H2Backend) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    let mut client = gateway.begin(GET);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    peer.answer(stream);
    assert_eq!(client.answer().text(), "ok");
    (backend, gateway, client, peer)
}

#[test]
fn a_get_is_sent_again_on_a_new_connection() {
    let (backend, _gateway, mut client, mut old) = with_a_connection();
    client.send(GET);
    old.request();
    drop(old);

    let mut new = H2Backend::on(backend.accept(), &[]);
    let stream = new.request();
    new.answer(stream);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_post_that_was_seen_is_never_sent_again() {
    let (backend, _gateway, mut client, mut old) = with_a_connection();
    client.send(POST);
    old.request();
    assert_eq!(old.body(), b"hello");
    drop(old);

    assert_eq!(client.answer().status(), 502);
    assert!(backend.try_accept().is_none(), "it was seen once");
}

#[test]
fn an_end_while_idle_is_noticed_even_by_a_post() {
    let (backend, gateway, mut client, old) = with_a_connection();
    drop(old);
    // The end has been seen when a whole turn of the worker has passed.
    assert_eq!(gateway.control("GET", "/state").status(), 200);
    client.send(POST);

    let mut new = H2Backend::on(backend.accept(), &[]);
    let stream = new.request();
    assert_eq!(new.body(), b"hello");
    new.answer(stream);
    assert_eq!(client.answer().text(), "ok");
}
