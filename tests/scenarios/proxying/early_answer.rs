//! A backend that answers before it has read the request's body.

use crate::harness::{Wire, gateway, script};

const HEAD: &str = "POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n";

fn answer_of(client: &mut Wire) -> u16 {
    // Sending on may fail once the gateway has closed: what counts is the answer.
    let _ = client.try_send(vec![b'x'; 4096]);
    client.answer().status()
}

#[test]
fn an_early_refusal_reaches_the_client_while_it_uploads() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(HEAD);

    let mut connection = backend.accept();
    connection.head();
    connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(answer_of(&mut client), 413);
}

#[test]
fn a_refusal_survives_a_backend_that_closes_at_once() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(HEAD);

    let mut connection = backend.accept();
    connection.head();
    connection.send("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    connection.finish();
    assert_eq!(answer_of(&mut client), 401);
}

#[test]
fn half_a_request_never_shares_a_connection_with_the_next_one() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(HEAD);
    let mut connection = backend.accept();
    connection.head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
    drop(client);

    let _next = gateway.begin_get("/next");
    assert_eq!(backend.accept().request().target(), "/next", "on a connection of its own");
}

#[test]
fn the_rest_of_a_body_is_no_request() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let hidden = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n";
    let head = format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", hidden.len());
    let mut client = gateway.begin(&head);
    let mut connection = backend.accept();
    connection.head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().status(), 200);

    // The gateway may have closed by now, or it reads the body to its end.
    let _ = client.try_send(hidden);
    let _ = client.try_send("GET /real HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let next = backend.try_accept().and_then(|mut c| c.try_request());
    assert!(next.is_none_or(|request| request.target() == "/real"));
}
