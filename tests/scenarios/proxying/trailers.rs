//! Fields after the body (RFC 9110 section 6.5).

use crate::harness::{gateway, script};

fn trailer<'a>(name: &str, trailers: &'a [(String, String)]) -> Option<&'a str> {
    trailers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

#[test]
fn trailers_of_an_answer_reach_a_client_that_takes_them() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nConnection: TE\r\n\r\n");

    let mut connection = backend.accept();
    assert_eq!(connection.request().field("te"), "trailers");
    connection.send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send("2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n");

    let answer = client.answer();
    assert_eq!((answer.text().as_str(), trailer("x-sum", &answer.trailers)), ("hi", Some("42")));
}

#[test]
fn trailers_of_a_request_reach_the_backend() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway
        .begin("POST / HTTP/1.1\r\nHost: test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n");

    let request = backend.accept().request();
    assert_eq!((request.text().as_str(), trailer("x-sum", &request.trailers)), ("hi", Some("42")));
}

#[test]
fn trailers_never_become_headers_nor_reframe_anything() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("2\r\nhi\r\n0\r\nHost: evil\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\nAuthorization: evil\r\n\r\n");

    let request = backend.accept().request();
    assert_eq!((request.field("host"), request.has("authorization")), ("test".into(), false));
    assert_eq!(request.trailers, [], "fields that frame, route or authorise are no trailers");
}

#[test]
fn the_same_for_the_trailers_of_an_answer() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nConnection: TE\r\n\r\n");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n");
    connection
        .send("Content-Length: 9\r\nSet-Cookie: evil=1\r\nTransfer-Encoding: gzip\r\nX-Sum: 42\r\n\r\n");

    let answer = client.answer();
    assert!(!answer.has("set-cookie") && !answer.has("content-length"), "{answer:?}");
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}
