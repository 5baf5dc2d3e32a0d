//! Bodies on their way to a backend of HTTP/2: cut, answered early, or followed by something.

use crate::harness::{Came, End, Gateway, H2, H2Backend, Script, Wire, gateway, script};

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    (backend, gateway)
}

const PARTS: [&str; 3] = [
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf",
    "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
];

/// Ends a request inside its body; the backend must see the stream reset. What is left of the
/// client.
#[track_caller]
fn is_never_whole(part: &str, end: impl FnOnce(Wire) -> Option<Wire>) -> Option<Wire> {
    let (backend, gateway) = started();
    let client = gateway.begin(part);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    peer.request();
    let left = end(client);
    let came = peer.end_of_request();
    assert!(matches!(came, Came::Reset { .. } | Came::Over), "{came:?} for {part:?}");
    left
}

#[test]
fn a_client_that_ends_inside_its_body() {
    for part in PARTS {
        let client = is_never_whole(part, |mut client| {
            client.finish();
            Some(client)
        });
        let answer = client.and_then(|mut client| client.try_answer());
        assert!(answer.as_ref().is_none_or(|answer| answer.status() == 400), "{answer:?}");
    }
}

#[test]
fn a_client_that_resets_inside_its_body() {
    for part in PARTS {
        is_never_whole(part, |client| {
            client.reset();
            None
        });
    }
}

#[test]
fn what_is_no_chunk_is_the_clients_fault() {
    for no_chunk in ["what?\r\n", "-1\r\n", "2\r\nlonger\r\n", "0x2\r\nhi\r\n", "2;a\nb\r\nhi\r\n"] {
        let client = is_never_whole(PARTS[1], |mut client| {
            client.send(no_chunk);
            Some(client)
        });
        let answer = client.and_then(|mut client| client.try_answer());
        assert!(answer.as_ref().is_none_or(|answer| answer.status() == 400), "{answer:?}");
    }
}

#[test]
fn a_client_of_http_2_that_resets_inside_its_body() {
    let (backend, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/", &[], false);
    client.data(1, b"half", false);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    peer.request();
    client.reset(1);

    assert!(matches!(peer.end_of_request(), Came::Reset { code: 8, .. }));
}

#[test]
fn an_early_answer_reaches_the_client_and_spoils_nothing() {
    let (backend, gateway) = started();
    let mut client = gateway.begin(PARTS[0]);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    peer.head(stream, "413", &[("content-length", "0")], true);
    peer.reset(stream, 0);
    assert_eq!(client.answer().status(), 413);

    let mut next = gateway.begin("GET /next HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut came = peer.next();
    while !matches!(came, Came::Head { .. }) {
        came = peer.next();
    }
    let Came::Head { stream: of_next, last: true } = came else { panic!("{came:?}") };
    assert!(of_next > stream, "on the same connection");
    peer.answer(of_next);
    assert_eq!(next.answer().text(), "ok");
}

#[test]
fn an_upgrade_is_an_ordinary_request_and_what_follows_it_is_one_too() {
    let (backend, gateway) = started();
    let mut client = gateway.begin(
        "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\
         GET /second HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    let mut peer = H2Backend::on(backend.accept(), &[]);
    for _ in 0..2 {
        let stream = peer.request();
        peer.answer(stream);
        assert_eq!(client.answer().text(), "ok");
    }
}

#[test]
fn a_cut_answer_is_a_reset_stream_for_a_client_of_http_2() {
    let (backend, gateway) = started();
    for by_reset in [true, false] {
        let mut client = H2::on(gateway.client());
        client.request(1, "POST", "/", &[], true);
        let mut peer = H2Backend::on(backend.accept(), &[]);
        let stream = peer.request();
        peer.head(stream, "200", &[], false);
        peer.data(stream, b"half", false);
        if by_reset {
            peer.reset(stream, 2);
            assert!(matches!(client.end_of(1), End::Reset(_)));
            peer.goaway(stream);
        }
        drop(peer);
        if !by_reset {
            assert!(matches!(client.end_of(1), End::Reset(_)));
        }
    }
}

#[test]
fn a_connection_that_ends_inside_an_answer_looks_cut() {
    let (backend, gateway) = started();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    peer.head(stream, "200", &[], false);
    peer.data(stream, b"half", false);
    assert_eq!((client.head().start.as_str(), client.chunk()), ("HTTP/1.1 200 OK", b"half".to_vec()));
    drop(peer);

    assert!(!client.rest().ends_with(b"0\r\n\r\n"), "no last chunk is invented");
}
