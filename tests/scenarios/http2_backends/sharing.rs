//! Many requests on one connection, and no more than it takes.

use crate::harness::{Came, H2Backend, Wire, eventually, gateway, script};

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn requests_at_the_same_time_share_a_connection() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    let mut clients: Vec<Wire> = (0..20).map(|_| gateway.begin(GET)).collect();

    let mut peer = H2Backend::on(backend.accept(), &[]);
    let streams: Vec<u32> = (0..20).map(|_| peer.request()).collect();
    assert_eq!(gateway.backend("api", &backend, "in_flight"), 20);
    for stream in streams.into_iter().rev() {
        peer.answer(stream);
    }
    assert!(clients.iter_mut().all(|client| client.answer().text() == "ok"));
    assert!(backend.try_accept().is_none(), "one connection is enough");
    assert_eq!(gateway.backend("api", &backend, "success"), 20);
}

#[test]
fn a_full_connection_gets_a_second_one_beside_it() {
    let backend = script();
    let gateway =
        gateway().upstream("api", [&backend]).with("protocol = \"h2\"").with("max_streams = 2").start();
    let mut clients: Vec<Wire> = (0..3).map(|_| gateway.begin(GET)).collect();

    let mut first = H2Backend::on(backend.accept(), &[]);
    let mut second = H2Backend::on(backend.accept(), &[]);
    for stream in [first.request(), first.request()] {
        first.answer(stream);
    }
    let stream = second.request();
    second.answer(stream);
    assert!(clients.iter_mut().all(|client| client.answer().text() == "ok"));
}

#[test]
fn a_backend_that_allows_one_stream_gets_one_at_a_time() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    let mut client = gateway.begin(GET);
    let mut first = H2Backend::allowing(backend.accept(), 1);
    let stream = first.request();
    first.answer(stream);
    client.answer();

    let (mut held, mut other) = (gateway.begin(GET), gateway.begin(GET));
    let on_first = first.request();
    let mut second = H2Backend::allowing(backend.accept(), 1);
    let on_second = second.request();
    first.answer(on_first);
    second.answer(on_second);
    assert_eq!([held.answer().text(), other.answer().text()], ["ok", "ok"]);
}

#[test]
fn a_connection_that_nobody_needs_is_closed_after_its_idle_time() {
    let backend = script();
    let gateway = gateway()
        .upstream("api", [&backend])
        .with("protocol = \"h2\"")
        .with("idle_timeout = \"100ms\"")
        .start();
    let mut client = gateway.begin(GET);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    peer.answer(stream);

    assert_eq!(client.answer().text(), "ok");
    assert_eq!(peer.next(), Came::Over);
}

#[test]
fn a_backend_that_a_reload_takes_out_finishes_and_is_left() {
    let (backend, other) = (script(), script());
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    let mut client = gateway.begin(GET);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();

    gateway.rewrite(|text| text.replace(&backend.to_string(), &other.to_string()));
    gateway.reload();
    peer.answer(stream);
    assert_eq!(client.answer().text(), "ok");
    assert_eq!(peer.next(), Came::Over);
}

#[test]
fn protocols_change_with_a_reload() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(GET);
    let mut plain = backend.accept();
    plain.request();
    plain.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    client.answer();

    gateway.rewrite(|text| text + "protocol = \"h2\"\n");
    gateway.reload();
    client.send(GET);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    peer.answer(stream);
    assert_eq!(client.answer().text(), "ok");
    eventually("the old connection is closed", || plain.closes());
}
