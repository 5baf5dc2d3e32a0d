//! A backend's nonsense in HTTP/2: a 502, or a cut once the client has seen a byte.

use crate::harness::h2::{CONTINUATION, HEADERS, PING, PUSH_PROMISE, SETTINGS};
use crate::harness::{Gateway, H2Backend, Message, Script, Wire, gateway, script};

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    (backend, gateway)
}

/// It is not asked again elsewhere.
const POST: &str =
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nTE: trailers\r\nConnection: te\r\n\r\n";

/// What a client gets when a backend answers so.
#[track_caller]
fn answered(answer: impl FnOnce(&mut H2Backend, u32)) -> Message {
    let (backend, gateway) = started();
    let mut client = gateway.begin(POST);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    answer(&mut peer, stream);
    client.answer_or_cut()
}

#[test]
fn heads_that_are_none() {
    let bad: [&[(&str, &str)]; 10] = [
        &[("content-length", "5"), ("content-length", "6")],
        &[("content-length", "+5")],
        &[("content-length", "18446744073709551621")],
        &[("connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("X-Upper", "1")],
        &[("x-a", "b\r\nx-evil: 1")],
        &[("x-a", "b\0")],
        &[("x-a: b\r\nx-evil", "1")],
        &[(":evil", "/")],
    ];
    for fields in bad {
        let answer = answered(|peer, stream| peer.head(stream, "200", fields, true));
        assert_eq!(answer.status(), 502, "{fields:?}: {answer:?}");
    }
    for status in ["", "20", "2000", "abc", "099", "200 OK"] {
        let answer = answered(|peer, stream| peer.head(stream, status, &[], true));
        assert_eq!(answer.status(), 502, "{status:?}");
    }
    let answer = answered(|peer, stream| peer.fields(stream, &[("x-a", "no status")], true));
    assert_eq!(answer.status(), 502);
}

#[test]
fn another_protocol_that_nobody_asked_for() {
    let answer = answered(|peer, stream| peer.head(stream, "101", &[("x-a", "b")], false));
    assert_eq!(answer.status(), 502);
}

#[test]
fn a_flood_of_hints() {
    let (backend, gateway) = started();
    let mut client = gateway.begin(POST);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    for _ in 0..1_000 {
        peer.head(stream, "103", &[("link", "</a.css>")], false);
    }

    let mut answers = std::iter::from_fn(|| Some(client.answer().status()));
    assert_eq!(answers.find(|status| *status != 103), Some(502));
}

#[test]
fn lengths_that_are_not_kept() {
    for declared in ["3", "9"] {
        let answer = answered(|peer, stream| {
            peer.head(stream, "200", &[("content-length", declared)], false);
            peer.data(stream, b"hello", true);
        });
        assert!(answer.status() == 502 || answer.cut, "{declared}: {answer:?}");
    }
}

#[test]
fn trailers_that_would_change_the_answer() {
    let answer = answered(|peer, stream| {
        peer.head(stream, "200", &[], false);
        peer.data(stream, b"hi", false);
        peer.fields(stream, &[("content-length", "9"), ("set-cookie", "a=b"), ("x-sum", "42")], true);
    });
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}

#[test]
fn bodies_where_there_are_none() {
    for (method, status) in [("HEAD", "200"), ("GET", "204"), ("GET", "304")] {
        let (backend, gateway) = started();
        let mut client = gateway.begin(&format!("{method} / HTTP/1.1\r\nHost: test\r\n\r\n"));
        let mut peer = H2Backend::on(backend.accept(), &[]);
        let stream = peer.request();
        peer.head(stream, status, &[], false);
        peer.data(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", true);

        let answer = client.answer_to_head();
        assert!([status, "502"].contains(&answer.status().to_string().as_str()), "{answer:?}");
        poisons_nobody(&gateway, client, peer);
    }
}

/// Whatever the client's connection carries next, it is the answer to what it asks next.
#[track_caller]
fn poisons_nobody(gateway: &Gateway, mut client: Wire, peer: H2Backend) {
    drop(peer);
    if client.try_send("GET /next HTTP/1.1\r\nHost: test\r\n\r\n").is_err() {
        return;
    }
    // Nobody answers it: the backend is gone, and a kept connection to it too.
    drop(gateway.command("stop"));
    let rest = client.rest();
    assert!(!rest.windows(6).any(|bytes| bytes == b"poison"), "{:?}", String::from_utf8_lossy(&rest));
}

#[test]
fn promises_that_nobody_wants() {
    let answer = answered(|peer, stream| {
        peer.flood(PUSH_PROMISE, 4, stream, &[0, 0, 0, 2, 0x82, 0x86, 0x84], 1);
    });
    assert_eq!(answer.status(), 502);
}

#[test]
fn heads_without_end() {
    for piece in [&b"\0\x01a\x01b".repeat(1_000)[..], b""] {
        let answer = answered(|peer, stream| {
            peer.flood(HEADERS, 0, stream, &[0x88], 1);
            peer.flood(CONTINUATION, 0, stream, piece, 20_000);
        });
        assert_eq!(answer.status(), 502);
    }
}

#[test]
fn one_field_named_by_many_bytes() {
    let field = [&[0x88, 0x40, 1, b'x', 127, 0xa1, 0x1e][..], &[b'y'; 4_000], &[0xbe; 10_000]].concat();
    let answer = answered(|peer, stream| {
        peer.flood(HEADERS, 5, stream, &field, 1);
    });
    assert_eq!(answer.status(), 502);
}

#[test]
fn frames_that_mean_nothing_are_borne_or_end_the_connection() {
    let (backend, gateway) = started();
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let mut client = gateway.begin(POST);
        let mut peer = H2Backend::on(backend.accept(), &[]);
        peer.request();
        let before = gateway.memory();
        // Nothing of what the gateway answers is read.
        peer.flood(kind, 0, 0, payload, 50_000);
        drop(peer);

        assert_eq!(client.answer().status(), 502);
        assert!(gateway.memory() < before + (16 << 10), "{before} grew to {} KiB", gateway.memory());
    }
}
