//! A kept connection that ends: unnoticed while idle, or exactly when it is used again.

use crate::harness::{Gateway, Script, Wire, gateway, script};

/// A gateway with one kept connection to its backend.
fn with_a_kept_connection() -> (Script, Gateway, Wire, Wire) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/first");
    let mut kept = backend.accept();
    kept.request();
    kept.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().status(), 200);
    (backend, gateway, client, kept)
}

const GET: &str = "GET /again HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &str = "POST /again HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_get_is_sent_again_on_a_new_connection() {
    let (backend, _gateway, mut client, mut kept) = with_a_kept_connection();
    client.send(GET);
    kept.request();
    drop(kept);

    let mut fresh = backend.accept();
    assert_eq!(fresh.request().target(), "/again");
    fresh.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_get_is_sent_again_after_a_reset() {
    let (backend, _gateway, mut client, mut kept) = with_a_kept_connection();
    client.send(GET);
    kept.request();
    kept.reset();

    let mut fresh = backend.accept();
    fresh.request();
    fresh.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_post_that_was_seen_is_never_sent_again() {
    let (backend, _gateway, mut client, mut kept) = with_a_kept_connection();
    client.send(POST);
    assert_eq!(kept.request().text(), "hello");
    drop(kept);

    assert_eq!(client.answer().status(), 502);
    assert!(backend.try_accept().is_none(), "the bytes were seen once");
}

#[test]
fn an_end_while_idle_is_noticed_even_by_a_post() {
    let (backend, _gateway, mut client, kept) = with_a_kept_connection();
    drop(kept);
    client.send(POST);

    let mut fresh = backend.accept();
    assert_eq!(fresh.request().text(), "hello");
    fresh.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_reset_while_idle_is_noticed_even_by_a_post() {
    let (backend, _gateway, mut client, kept) = with_a_kept_connection();
    kept.reset();
    client.send(POST);

    let mut fresh = backend.accept();
    fresh.request();
    fresh.send(OK);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn half_an_answer_is_not_asked_for_again() {
    let (backend, _gateway, mut client, mut kept) = with_a_kept_connection();
    client.send(GET);
    kept.request();
    kept.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
    client.head();
    drop(kept);

    assert_eq!(client.rest(), b"half");
    assert!(backend.try_accept().is_none());
}
