//! What is agreed on with a client, what is refused, and how long it may take.

use rustls::HandshakeKind::{Full, Resumed};
use rustls::version::{TLS12, TLS13};

use crate::harness::{
    Gateway, TlsClient, Wire, authority, backend, backends, eventually, gateway, tls_client, with_body,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// A count of handshakes at the first listener.
fn handshakes(gateway: &Gateway, result: &str) -> u64 {
    gateway.state()["listeners"][0]["tls"]["handshakes"][result].as_u64().expect("a count")
}

#[test]
fn a_request_over_tls_reaches_a_backend_as_https() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let gateway = gateway().listen_tls(&own, "").upstream("api", [&a]).start();

    let mut client = tls_client(&authority).connect(gateway.address(), "a.example");
    client.send(GET);
    assert_eq!(client.answer().backend(), "a");
    assert_eq!(a.only_request().field("x-forwarded-proto"), "https");
}

#[test]
fn both_versions_are_spoken_unless_one_is_left_out() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let both = gateway().listen_tls(&own, "").upstream("api", [&a]).start();
    let one = gateway().listen_tls(&own, "protocols = [\"TLSv1.3\"]").upstream("api", [&a]).start();
    let client = |version| TlsClient::new(&authority, None, &[version], &[]);

    let agreed = |version| client(version).connect(both.address(), "a.example").tls().protocol_version();
    assert_eq!([agreed(&TLS12), agreed(&TLS13)], [Some(TLS12.version), Some(TLS13.version)]);
    assert!(client(&TLS12).try_connect(one.address(), "a.example").is_err());
    assert!(client(&TLS13).try_connect(one.address(), "a.example").is_ok());
}

#[test]
fn http_2_is_preferred_where_both_speak_it() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let both = gateway().listen_tls(&own, "").upstream("api", [&a]).start();
    let old = gateway().listen_tls(&own, "http2 = false").upstream("api", [&a]).start();
    let agreed = |gateway: &Gateway, alpn: &[&str]| {
        let client = TlsClient::new(&authority, None, &[&TLS13], alpn);
        let wire = client.connect(gateway.address(), "a.example");
        String::from_utf8_lossy(wire.tls().alpn_protocol().unwrap_or_default()).into_owned()
    };

    assert_eq!(agreed(&both, &["http/1.1", "h2"]), "h2");
    assert_eq!(agreed(&both, &["http/1.1"]), "http/1.1");
    assert_eq!(agreed(&both, &[]), "");
    assert_eq!(agreed(&old, &["h2", "http/1.1"]), "http/1.1");
}

#[test]
fn a_session_is_taken_up_again_over_workers_and_reloads() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let gateway = gateway().top("workers = 2").listen_tls(&own, "").upstream("api", [&a]).start();
    for version in [&TLS12, &TLS13] {
        let client = TlsClient::new(&authority, None, &[version], &[]);
        let kind = || {
            let mut wire = client.connect(gateway.address(), "a.example");
            // A ticket comes with the first answer.
            wire.send(GET);
            wire.answer();
            wire.tls().handshake_kind()
        };
        assert_eq!((kind(), kind()), (Some(Full), Some(Resumed)));
        gateway.reload();
        assert_eq!(kind(), Some(Resumed), "tickets outlive a reload");
    }
    assert_eq!([handshakes(&gateway, "full"), handshakes(&gateway, "resumed")], [2, 4]);
}

#[test]
fn variables_tell_what_was_agreed_on() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let fields = "path = \"/\"\nupstream = \"api\"\nrequest_headers = { X-Tls = \"$scheme $https $ssl_protocol $ssl_cipher $ssl_server_name $ssl_alpn_protocol $ssl_session_reused $ssl_client_verify\" }";
    let gateway =
        gateway().listen_tls(&own, "").listen("127.0.0.2:0").route(fields).upstream("api", [&a]).start();

    let client = TlsClient::new(&authority, None, &[&TLS12], &["http/1.1"]);
    let mut wire = client.connect(gateway.address(), "a.example");
    wire.send(GET);
    wire.answer();
    let mut plain = Wire::to(&gateway.addresses()[1]);
    plain.send(GET);
    plain.answer();

    let told: Vec<_> = a.requests().iter().map(|request| request.field("x-tls")).collect();
    let cipher = "ECDHE-ECDSA-AES256-GCM-SHA384";
    assert_eq!(told, [format!("https on TLSv1.2 {cipher} a.example http/1.1 . NONE"), "http".to_owned()]);
}

#[test]
fn plain_http_is_told_that_this_is_the_wrong_door() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let gateway = gateway().listen_tls(&authority.issue(&["a.example"]), "").upstream("api", [&a]).start();

    let mut plain = gateway.client();
    plain.send(GET);
    let answer = plain.answer();
    assert_eq!((answer.status(), plain.closes()), (400, true));
    assert!(answer.text().contains("speaks TLS"), "{}", answer.text());
    eventually("it is counted", || handshakes(&gateway, "plain") == 1);
    assert_eq!(a.hits(), 0);
}

#[test]
fn somebody_who_says_nothing_or_only_half_is_not_waited_for() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let gateway = gateway().listen_tls(&own, "handshake_timeout = \"50ms\"").upstream("api", [&a]).start();

    let mut silent = gateway.client();
    let mut half = gateway.client();
    half.send([22, 3, 1, 2, 0, 1, 0, 1, 252]);
    assert!(silent.closes() && half.closes());
    eventually("both are counted", || handshakes(&gateway, "timed_out") == 2);
    assert!(tls_client(&authority).try_connect(gateway.address(), "a.example").is_ok());
}

#[test]
fn a_handshake_that_stands_still_holds_nobody_up() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let gateway = gateway().listen_tls(&authority.issue(&["a.example"]), "").upstream("api", [&a]).start();
    let stalled: Vec<_> = (0..50).map(|_| gateway.client()).collect();

    let mut client = tls_client(&authority).connect(gateway.address(), "a.example");
    client.send(GET);
    assert_eq!(client.answer().backend(), "a");
    drop(stalled);
}

#[test]
fn nonsense_is_no_handshake_and_costs_nobody_else() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let gateway = gateway().listen_tls(&authority.issue(&["a.example"]), "").upstream("api", [&a]).start();
    for nonsense in
        [&[22, 3, 1, 255, 255][..], &[0; 64], &[22, 3, 1, 0, 4, 99, 0, 0, 0], &[21, 3, 3, 0, 2, 2, 40]]
    {
        let mut client = gateway.client();
        client.send(nonsense);
        client.finish();
        // At most an alert.
        assert!(client.rest().len() <= 7, "{nonsense:?}");
    }
    eventually("all are counted", || handshakes(&gateway, "failed") == 4);
    assert!(tls_client(&authority).try_connect(gateway.address(), "a.example").is_ok());
}

#[test]
fn large_bodies_pass_both_ways() {
    let authority = authority();
    let echo = backend("echo", |request| with_body("echo", &request.text()));
    let own = authority.issue(&["a.example"]);
    let gateway = gateway().listen_tls(&own, "").upstream("api", [&echo]).start();

    let body = "0123456789".repeat(300_000);
    let mut client = tls_client(&authority).connect(gateway.address(), "a.example");
    client
        .send(format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert!(client.answer().text() == body);
}

#[test]
fn a_quit_ends_handshakes_at_once_and_requests_in_their_time() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let mut gateway = gateway().listen_tls(&own, "").upstream("api", [&a]).start();
    let mut stalled = gateway.client();
    let mut client = tls_client(&authority).connect(gateway.address(), "a.example");
    client.send("GET /held HTTP/1.1\r\nHost: a.example\r\n\r\n");
    a.holds(1);

    assert_eq!(gateway.command("quit").code, 0);
    assert!(stalled.closes());
    a.release();
    assert_eq!(client.answer().backend(), "a");
    assert_eq!(gateway.ends(), 0);
}
