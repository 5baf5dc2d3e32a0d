//! TLS towards backends.

use rustls::HandshakeKind::{Full, Resumed};

use crate::harness::{
    Authority, Gateway, Script, TlsServer, authority, backends, eventually, gateway, script,
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Plays the backend for one connection with one request; what became of the client's.
fn served(gateway: &Gateway, backend: &Script, server: &TlsServer) -> u16 {
    let mut client = gateway.begin_get("/");
    let mut connection = server.shake(backend.accept());
    connection.request();
    connection.send(OK);
    client.answer().status()
}

/// A gateway before this backend that believes the authority.
fn believing(authority: &Authority, backend: &Script) -> Gateway {
    gateway()
        .file("ca.pem", authority.pem())
        .upstream("api", [backend])
        .with("tls = { ca = \"ca.pem\" }")
        .start()
}

#[test]
fn a_backend_with_the_right_certificate_is_believed() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["127.0.0.1"]));
    let gateway = believing(&authority, &backend);

    assert_eq!(served(&gateway, &backend, &server), 200);
}

#[test]
fn a_strangers_or_another_names_certificate_is_a_failed_connection() {
    let (ours, theirs, backend) = (authority(), authority(), script());
    let gateway = gateway()
        .file("ca.pem", ours.pem())
        .upstream("api", [&backend])
        .with("tls = { ca = \"ca.pem\", server_name = \"api.internal\" }")
        .start();
    for own in [theirs.issue(&["api.internal"]), ours.issue(&["other.internal"])] {
        let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
        let shaken = TlsServer::new(&own).try_shake(backend.accept());
        // In 1.3 the backend may only learn of it with its first read.
        assert!(shaken.is_err() || shaken.is_ok_and(|mut wire| wire.closes()));
        assert_eq!(client.answer().status(), 502);
    }
    gateway.says("invalid peer certificate");
    assert_eq!(gateway.backend("api", &backend, "connect_failed"), 2);
}

#[test]
fn a_request_moves_on_from_a_backend_that_is_not_believed() {
    let (ours, theirs) = (authority(), authority());
    let (bad, good) = (script(), script());
    let gateway = gateway()
        .file("ca.pem", ours.pem())
        .upstream("api", [bad.to_string(), format!("{{ address = \"{good}\", backup = true }}")])
        .with("tls = { ca = \"ca.pem\" }")
        .start();

    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
    let _ = TlsServer::new(&theirs.issue(&["127.0.0.1"])).try_shake(bad.accept());
    let mut connection = TlsServer::new(&ours.issue(&["127.0.0.1"])).shake(good.accept());
    assert_eq!(connection.request().text(), "hi", "nothing of it had been sent");
    connection.send(OK);
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn the_systems_authorities_count_where_none_are_named() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["127.0.0.1"]));
    let gateway = gateway().upstream("api", [&backend]).with("tls = true").start();

    let mut client = gateway.begin_get("/");
    let _ = server.try_shake(backend.accept());
    assert_eq!(client.answer().status(), 502, "they do not know the test's authority");
}

#[test]
fn without_verification_everybody_is_believed_and_everybody_is_told() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["whoever.example"]));
    let gateway = gateway().upstream("api", [&backend]).with("tls = { verify = false }").start();

    assert_eq!(served(&gateway, &backend, &server), 200);
    gateway.says(
        "with `verify = false` anybody between the gateway and its backends can read and change everything",
    );
}

#[test]
fn the_backend_is_asked_for_its_name() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["api.internal"]));
    let gateway = gateway()
        .file("ca.pem", authority.pem())
        .upstream("api", [&backend])
        .with("tls = { ca = \"ca.pem\", server_name = \"api.internal\" }")
        .start();

    let _client = gateway.begin_get("/");
    let connection = server.shake(backend.accept());
    assert_eq!(connection.tls_server().server_name(), Some("api.internal"));
}

#[test]
fn the_gateway_shows_its_certificate_to_who_asks() {
    let (authority, backend) = (authority(), script());
    let (own, gateways) = (authority.issue(&["127.0.0.1"]), authority.issue(&["gateway"]));
    let server = TlsServer::demanding(&own, &authority);
    let gateway = gateway()
        .file("ca.pem", authority.pem())
        .file("gateway.pem", format!("{}{}", gateways.chain, gateways.key))
        .upstream("api", [&backend])
        .with("tls = { ca = \"ca.pem\", certificate = \"gateway.pem\" }")
        .start();

    assert_eq!(served(&gateway, &backend, &server), 200);
    assert_eq!(gateway.upstream("api")["certificate"]["names"][0], "gateway");
}

#[test]
fn a_kept_connection_serves_again_and_a_new_one_resumes_the_session() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["127.0.0.1"]));
    let gateway = believing(&authority, &backend);

    let mut client = gateway.begin_get("/");
    let mut first = server.shake(backend.accept());
    assert_eq!(first.tls_server().handshake_kind(), Some(Full));
    for _ in 0..3 {
        first.request();
        first.send(OK);
        assert_eq!(client.answer().status(), 200);
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    first.request();
    let _held = gateway.begin_get("/");
    let second = server.shake(backend.accept());
    assert_eq!(second.tls_server().handshake_kind(), Some(Resumed));
}

#[test]
fn an_end_without_goodbye_is_a_cut_answer() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["127.0.0.1"]));
    let gateway = believing(&authority, &backend);

    let mut client = gateway.begin_get("/");
    let mut connection = server.shake(backend.accept());
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\n\r\nall of it, or is it?");
    drop(connection);
    assert!(client.answer_or_cut().cut, "anybody on the way could have ended it");
}

#[test]
fn a_changed_authority_is_taken_up() {
    let (old, new, backend) = (authority(), authority(), script());
    let server = TlsServer::new(&new.issue(&["127.0.0.1"]));
    let gateway = believing(&old, &backend);
    let mut refused = gateway.begin_get("/");
    let _ = server.try_shake(backend.accept());
    assert_eq!(refused.answer().status(), 502);

    gateway.write("ca.pem", new.pem());
    gateway.says("other authorities are believed now");
    assert_eq!(served(&gateway, &backend, &server), 200);
}

#[test]
fn connections_from_before_a_reload_that_asks_for_tls_are_not_used() {
    let (authority, backend) = (authority(), script());
    let server = TlsServer::new(&authority.issue(&["127.0.0.1"]));
    let gateway = gateway().file("ca.pem", authority.pem()).upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");
    let mut plain = backend.accept();
    plain.request();
    plain.send(OK);
    client.answer();

    gateway.rewrite(|text| text + "tls = { ca = \"ca.pem\" }\n");
    gateway.reload();
    assert_eq!(served(&gateway, &backend, &server), 200);
    eventually("the old one is closed", || plain.closes());
}

#[test]
fn a_backend_that_never_shakes_hands_is_given_up() {
    let backend = script();
    let [other] = backends(["unused"]);
    let gateway = gateway()
        .upstream("api", [&backend])
        .with("tls = { verify = false }")
        .with("connect_timeout = \"100ms\"")
        .start();

    let mut client = gateway.begin_get("/");
    let _silent = backend.accept();
    assert_eq!(client.answer().status(), 504);
    gateway.says("connect_timeout");
    assert_eq!(other.hits(), 0);
}
