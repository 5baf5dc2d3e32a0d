//! GOAWAY, refused streams, and silence.

use crate::harness::{
    Came, Gateway, H2Backend, Script, TlsServer, authority, eventually, gateway, refusing, script,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n";
/// RFC 9113 section 7.
const REFUSED_STREAM: u32 = 7;

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    (backend, gateway)
}

#[test]
fn goaway_lets_finish_what_was_begun_and_sends_the_rest_elsewhere() {
    let (backend, gateway) = started();
    let mut begun = gateway.begin(POST);
    let mut old = H2Backend::on(backend.accept(), &[]);
    let seen = old.request();
    let mut unseen = gateway.begin(POST);
    old.request();
    old.goaway(seen);

    let mut new = H2Backend::on(backend.accept(), &[]);
    let moved = new.request();
    new.answer(moved);
    assert_eq!(unseen.answer().text(), "ok", "nobody had looked at it: even a POST may go again");
    old.answer(seen);
    assert_eq!(begun.answer().text(), "ok");
    assert_eq!(old.next(), Came::Over, "and the old connection ends");
}

#[test]
fn after_goaway_new_requests_take_a_new_connection() {
    let (backend, gateway) = started();
    let mut client = gateway.begin(GET);
    let mut old = H2Backend::on(backend.accept(), &[]);
    let stream = old.request();
    old.goaway(stream);
    old.answer(stream);
    client.answer();

    client.send(POST);
    let mut new = H2Backend::on(backend.accept(), &[]);
    let stream = new.request();
    new.answer(stream);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_refused_stream_moves_on_whatever_its_method() {
    let (first, second) = (script(), script());
    let backup = format!("{{ address = \"{second}\", backup = true }}");
    let gateway = gateway().upstream("api", [first.to_string(), backup]).with("protocol = \"h2\"").start();
    let mut client = gateway.begin(POST);
    let mut busy = H2Backend::on(first.accept(), &[]);
    let stream = busy.request();
    busy.reset(stream, REFUSED_STREAM);

    let mut other = H2Backend::on(second.accept(), &[]);
    let stream = other.request();
    other.answer(stream);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_stream_that_was_reset_otherwise_is_sent_again_only_if_it_is_idempotent() {
    for (request, expected) in [(GET, 200), (POST, 502)] {
        let (first, second) = (script(), script());
        let backup = format!("{{ address = \"{second}\", backup = true }}");
        let gateway =
            gateway().upstream("api", [first.to_string(), backup]).with("protocol = \"h2\"").start();
        let mut client = gateway.begin(request);
        let mut broken = H2Backend::on(first.accept(), &[]);
        let stream = broken.request();
        broken.reset(stream, 2);
        if expected == 200 {
            let mut other = H2Backend::on(second.accept(), &[]);
            let stream = other.request();
            other.answer(stream);
        }
        assert_eq!(client.answer().status(), expected, "{request}");
    }
}

#[test]
fn a_backend_that_ends_every_connection_is_not_asked_for_ever() {
    let (backend, gateway) = started();
    let mut client = gateway.begin(POST);
    let backend = std::thread::spawn(move || {
        let mut ended = 0;
        for _ in 0..2 {
            let mut peer = H2Backend::on(backend.accept(), &[]);
            peer.goaway(0);
            ended += 1;
        }
        (backend, ended)
    });

    assert_eq!(client.answer().status(), 502);
    drop(backend);
}

#[test]
fn after_a_timeout_a_connection_gets_no_new_requests() {
    let backend = script();
    let gateway = gateway()
        .upstream("api", [&backend])
        .with("protocol = \"h2\"")
        .with("read_timeout = \"100ms\"")
        .start();
    let mut client = gateway.begin(POST);
    let mut dead = H2Backend::on(backend.accept(), &[]);
    let stream = dead.request();
    assert_eq!(client.answer().status(), 504);
    assert_eq!(dead.next(), Came::Reset { stream, code: 8 });

    client.send(POST);
    let mut alive = H2Backend::on(backend.accept(), &[]);
    let stream = alive.request();
    alive.answer(stream);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn nobody_there_is_a_failed_connection_for_all_who_wait() {
    let nobody = refusing();
    let gateway = gateway().upstream("api", [&nobody]).with("protocol = \"h2\"").start();
    let mut clients: Vec<_> = (0..10).map(|_| gateway.begin(POST)).collect();

    assert!(clients.iter_mut().all(|client| client.answer().status() == 502));
    assert_eq!(gateway.backend("api", &nobody, "connect_failed"), 10);
}

#[test]
fn who_waits_for_a_connection_gets_it_even_if_who_asked_first_leaves() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::build(&authority.issue(&["127.0.0.1"]), None, &["h2"]);
    let gateway = gateway()
        .file("ca.pem", authority.pem())
        .upstream("api", [&backend])
        .with("protocol = \"h2\"")
        .with("tls = { ca = \"ca.pem\" }")
        .start();
    let first = gateway.begin(GET);
    let socket = backend.accept();
    drop(first);
    eventually("it has left", || gateway.backend("api", &backend, "cancelled") == 1);
    let mut second = gateway.begin(GET);

    let mut peer = H2Backend::on(server.shake(socket), &[]);
    let stream = peer.request();
    peer.answer(stream);
    assert_eq!(second.answer().text(), "ok");
}
