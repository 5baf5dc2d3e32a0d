//! Bodies that come or go by HTTP/2 and are cut, late, early, or not what they seem.

use crate::harness::{End, Gateway, H2, Message, Script, Wire, eventually, gateway, script};

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    (backend, gateway)
}

/// A client that has begun an upload, and the connection on which its beginning arrived.
fn uploading(backend: &Script, gateway: &Gateway, fields: &[(&str, &str)]) -> (H2, Wire) {
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/upload", fields, false);
    client.data(1, b"half", false);
    let mut connection = backend.accept();
    let head = connection.head();
    let half = if head.has("content-length") { connection.bytes(4) } else { connection.chunk() };
    assert_eq!(half, b"half");
    (client, connection)
}

const FRAMINGS: [&[(&str, &str)]; 2] = [&[], &[("content-length", "8")]];

#[test]
fn an_upload_that_is_reset_is_never_whole_to_the_backend() {
    let (backend, gateway) = started();
    for framing in FRAMINGS {
        // As CANCEL, and as NO_ERROR, with which servers say that they need no more.
        for code in [8, 0] {
            let (mut client, mut connection) = uploading(&backend, &gateway, framing);
            client.reset_as(1, code);
            assert_eq!(connection.rest(), b"", "{framing:?} {code}");
        }
    }
}

#[test]
fn an_upload_whose_connection_ends_is_never_whole_to_the_backend() {
    let (backend, gateway) = started();
    for framing in FRAMINGS {
        let (client, mut connection) = uploading(&backend, &gateway, framing);
        drop(client);
        assert_eq!(connection.rest(), b"", "{framing:?}");
    }
    eventually("nothing is in flight", || gateway.backend("api", &backend, "in_flight") == 0);
}

#[test]
fn an_upload_that_stops_is_not_waited_for_for_ever() {
    let backend = script();
    let gateway = gateway().section("[limits]\nbody_timeout = \"200ms\"").upstream("api", [&backend]).start();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/upload", &[], false);
    client.data(1, b"half", false);

    assert!(matches!(client.end_of(1), End::Answered(408) | End::Reset(_)));
    assert!(backend.accept().try_request().is_none());
}

#[test]
fn an_early_refusal_reaches_the_client_and_spoils_nothing() {
    let (backend, gateway) = started();
    let (mut client, mut connection) = uploading(&backend, &gateway, &[]);
    connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.end_of(1), End::Answered(413));

    client.get(3, "/next", &[]);
    let mut fresh = backend.accept();
    assert_eq!(fresh.request().target(), "/next", "on a connection of its own");
    fresh.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.end_of(3), End::Answered(204));
}

#[test]
fn trailers_never_become_headers_nor_reframe_anything() {
    let (backend, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/", &[], false);
    client.data(1, b"hi", false);
    let evil = [("host", "evil"), ("content-length", "9"), ("authorization", "evil"), ("x-sum", "42")];
    client.headers(1, &evil, true);

    let request: Message = backend.accept().request();
    assert_eq!((request.field("host"), request.has("authorization")), ("test".into(), false));
    assert_eq!(request.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}

/// A backend begins an answer and then ends as `end` says; what became of the stream.
fn after(answer: &str, end: impl FnOnce(Wire)) -> End {
    let (backend, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.get(1, "/", &[]);
    let mut connection = backend.accept();
    connection.request();
    connection.send(answer);
    end(connection);
    client.end_of(1)
}

#[test]
fn a_cut_answer_is_a_reset_stream() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nwhat?\r\n",
    ] {
        assert!(matches!(after(answer, drop), End::Reset(_) | End::Answered(502)), "{answer:?}");
    }
}

#[test]
fn switching_protocols_is_nothing_for_http2() {
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\nodd bytes";
    assert_eq!(after(switching, drop), End::Answered(502));
}

#[test]
fn a_bad_answer_is_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Odd : space\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Odd: a\0b\r\nContent-Length: 0\r\n\r\n",
        "no HTTP at all\r\n\r\n",
    ] {
        assert_eq!(after(answer, drop), End::Answered(502), "{answer:?}");
    }
}
