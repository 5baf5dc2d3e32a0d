//! What ends at the gateway: hop-by-hop fields and whatever Connection names (RFC 9110 section 7.6.1).

use crate::harness::{backend, backends, gateway};

#[test]
fn hop_by_hop_fields_do_not_reach_the_backend() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.ask(
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, X-Named\r\nConnection: x-too\r\nX-Named: 1\r\nX-Too: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\nX-Stays: 1\r\n\r\n",
    );

    let request = a.only_request();
    for gone in ["connection", "x-named", "x-too", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert!(!request.has(gone), "{gone} in {request:?}");
    }
    assert_eq!(request.field("x-stays"), "1");
}

#[test]
fn hop_by_hop_fields_do_not_reach_the_client() {
    let a = backend("a", |_| {
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n\
          Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let gateway = gateway().upstream("api", [&a]).start();

    let answer = gateway.get("/");
    for gone in ["x-named", "keep-alive", "proxy-connection", "upgrade"] {
        assert!(!answer.has(gone), "{gone} in {answer:?}");
    }
    assert!(!answer.field("connection").contains("X-Named"));
    assert_eq!(answer.field("x-stays"), "1");
}

#[test]
fn connection_cannot_name_away_what_the_gateway_says() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.ask(
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\
         Connection: Host, X-Forwarded-For, X-Real-IP, X-Forwarded-Proto, Content-Length, Transfer-Encoding\r\n\r\nhello",
    );

    let request = a.only_request();
    assert_eq!((request.field("host"), request.text()), ("test".into(), "hello".into()));
    assert_eq!(
        (request.field("x-forwarded-for"), request.field("x-real-ip")),
        ("127.0.0.1".into(), "127.0.0.1".into())
    );
    assert_eq!(request.field("x-forwarded-proto"), "http");
}

#[test]
fn te_is_passed_as_trailers_only() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.ask("GET / HTTP/1.1\r\nHost: test\r\nConnection: TE\r\nTE: gzip, trailers\r\n\r\n");

    let te = a.only_request().field("te");
    assert!(te.is_empty() || te == "trailers", "{te}");
}

#[test]
fn everything_else_passes_in_its_order() {
    let a = backend("a", |_| {
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Z: \xe9\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let gateway = gateway().upstream("api", [&a]).start();
    let answer = gateway.ask(
        "GET / HTTP/1.1\r\nHost: test\r\nX-Same: 1\r\nX-Empty:\r\nX-Same: 2\r\nCookie: a=1; b=2\r\n\r\n",
    );

    let request = a.only_request();
    assert_eq!((request.all("x-same"), request.all("x-empty")), (vec!["1", "2"], vec![""]));
    assert_eq!(request.field("cookie"), "a=1; b=2");
    assert_eq!((answer.all("set-cookie"), answer.field("x-z")), (vec!["a=1", "b=2"], "\u{e9}".into()));
}

#[test]
fn date_and_server_are_the_backends() {
    let a = backend("a", |_| {
        b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: theirs\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let gateway = gateway().upstream("api", [&a]).start();

    let answer = gateway.get("/");
    assert_eq!(
        (answer.all("date"), answer.all("server")),
        (vec!["Mon, 01 Jan 2024 00:00:00 GMT"], vec!["theirs"])
    );
}

#[test]
fn max_forwards_ends_at_the_gateway() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    for method in ["OPTIONS", "TRACE"] {
        let answer = gateway.ask(&format!("{method} / HTTP/1.1\r\nHost: test\r\nMax-Forwards: 0\r\n\r\n"));
        assert_eq!(answer.backend(), "", "{answer:?}");
    }
    assert_eq!(a.hits(), 0);
    gateway.ask("OPTIONS / HTTP/1.1\r\nHost: test\r\nMax-Forwards: 3\r\n\r\n");
    assert_eq!(a.only_request().field("max-forwards"), "2");
}
