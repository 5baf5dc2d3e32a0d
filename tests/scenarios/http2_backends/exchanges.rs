//! A request of HTTP/1.1 and its answer over HTTP/2.

use crate::harness::{Came, Gateway, H2Backend, Script, Wire, eventually, gateway, script};

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    (backend, gateway)
}

/// A request on its way: the client's end, the backend's, and the stream.
fn begun(backend: &Script, gateway: &Gateway, request: &str) -> (Wire, H2Backend, u32) {
    let client = gateway.begin(request);
    let mut peer = H2Backend::on(backend.accept(), &[]);
    let stream = peer.request();
    (client, peer, stream)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn an_answer_passes_with_its_fields_and_trailers() {
    let (backend, gateway) = started();
    let (mut client, mut peer, stream) =
        begun(&backend, &gateway, "GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nConnection: te\r\n\r\n");
    peer.head(stream, "203", &[("x-a", "b"), ("trailer", "x-sum")], false);
    peer.data(stream, b"hello ", false);
    peer.data(stream, b"world", false);
    peer.fields(stream, &[("x-sum", "11")], true);

    let answer = client.answer();
    assert_eq!(
        (answer.status(), answer.field("x-a"), answer.text()),
        (203, "b".to_owned(), "hello world".to_owned())
    );
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "11".to_owned())]);
}

#[test]
fn a_body_with_a_length_and_one_in_chunks_end_where_they_end() {
    let (backend, gateway) = started();
    for request in [
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let mut client = gateway.begin(request);
        let mut peer = H2Backend::on(backend.accept(), &[]);
        let stream = peer.request();
        let (mut body, mut ended) = (Vec::new(), false);
        while !ended {
            match peer.next() {
                Came::Data { bytes, last, .. } => (ended, _) = (last, body.extend(bytes)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(body, b"hello");
        peer.answer(stream);
        assert_eq!(client.answer().text(), "ok");
        // Another connection for the next.
        peer.goaway(stream);
    }
}

#[test]
fn a_backend_that_takes_nothing_holds_the_body_up_at_the_client() {
    let (backend, gateway) = started();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut peer = H2Backend::on(backend.accept(), &[(4, 1000)]);
    let stream = peer.request();
    let chunk = [b"2000\r\n".as_slice(), &[b'x'; 0x2000], b"\r\n"].concat();
    let sent = client.flood(&chunk, 64 << 20);

    assert!(sent < 32 << 20, "{sent} bytes went nowhere");
    peer.window(0, 1 << 20);
    peer.window(stream, 1 << 20);
    let mut came = 0;
    while came < 1 << 20 {
        match peer.next() {
            Came::Data { bytes, .. } => came += bytes.len(),
            other => panic!("{other:?} after {came} bytes"),
        }
    }
}

#[test]
fn an_answer_without_a_body_is_one() {
    let (backend, gateway) = started();
    let (mut client, mut peer, stream) = begun(&backend, &gateway, GET);
    peer.head(stream, "204", &[], true);

    let answer = client.answer();
    assert_eq!((answer.status(), answer.body.len()), (204, 0));
}

#[test]
fn early_hints_pass_and_100_does_not() {
    let (backend, gateway) = started();
    let (mut client, mut peer, stream) = begun(&backend, &gateway, GET);
    peer.head(stream, "100", &[], false);
    peer.head(stream, "103", &[("link", "</a.css>")], false);
    peer.answer(stream);

    let hints = client.answer();
    assert_eq!((hints.status(), hints.field("link")), (103, "</a.css>".to_owned()));
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_reset_answer_looks_cut() {
    // INTERNAL_ERROR, and NO_ERROR, which is none only behind the end of an answer.
    for code in [2, 0] {
        let (backend, gateway) = started();
        let (mut client, mut peer, stream) = begun(&backend, &gateway, GET);
        peer.head(stream, "200", &[], false);
        peer.data(stream, b"half", false);
        peer.reset(stream, code);

        let answer = client.answer_or_cut();
        assert!(answer.cut && answer.text() == "half", "{answer:?}");
        assert_eq!(gateway.backend("api", &backend, "broken"), 1);
    }
}

#[test]
fn a_client_that_leaves_resets_its_stream_and_nothing_else() {
    let (backend, gateway) = started();
    let (client, mut peer, left) = begun(&backend, &gateway, GET);
    let mut stays = gateway.begin(GET);
    let other = peer.request();
    drop(client);

    assert_eq!(peer.next(), Came::Reset { stream: left, code: 8 });
    eventually("one is in flight", || gateway.backend("api", &backend, "in_flight") == 1);
    peer.answer(other);
    assert_eq!(stays.answer().text(), "ok");
    assert_eq!(gateway.backend("api", &backend, "cancelled"), 1);
}

#[test]
fn what_is_not_http_2_is_a_502() {
    let (backend, gateway) = started();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    let mut wire = backend.accept();
    wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");

    assert_eq!(client.answer().status(), 502);
}
