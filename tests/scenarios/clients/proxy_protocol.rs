//! The PROXY protocol, from proxies and to backends.

use crate::harness::{Backend, Gateway, Plan, Wire, backends, gateway, script};

/// A gateway whose first listener wants the PROXY protocol from `trusted`.
fn plan(trusted: &str, a: &Backend) -> Plan {
    gateway()
        .listen(&format!("127.0.0.1:0\"\ntrusted_proxies = \"{trusted}\"\nproxy_protocol = true\nbacklog = \"64"))
        .route(
            "path = \"/client\"\nreturn = { text = \"$remote_addr:$remote_port $proxy_protocol_addr:$proxy_protocol_port by $realip_remote_addr\" }",
        )
        .route("path = \"/\"\nupstream = \"api\"")
        .upstream("api", [a])
}

fn client(gateway: &Gateway, header: &[u8]) -> Wire {
    let mut client = gateway.client();
    client.send(header);
    client
}

const GET: &str = "GET /client HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn version_1_names_the_client_for_all_requests_of_the_connection() {
    let [a] = backends(["a"]);
    let gateway = plan("127.0.0.1", &a).start();
    let mut client = client(&gateway, b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n");

    for _ in 0..2 {
        client.send(GET);
        assert_eq!(client.answer().text(), "203.0.113.7:4711 203.0.113.7:4711 by 127.0.0.1");
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().backend(), "a");
    let request = a.only_request();
    assert_eq!(
        (request.field("x-forwarded-for"), request.field("x-real-ip")),
        ("203.0.113.7".into(), "203.0.113.7".into())
    );
}

#[test]
fn version_2_comes_in_pieces_and_with_additions() {
    let [a] = backends(["a"]);
    let gateway = plan("127.0.0.1", &a).start();
    let header =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x11\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x67\x00\x50\x04\x00\x02ab";
    let mut client = gateway.client();
    for piece in header.chunks(5) {
        client.send(piece);
    }
    client.send(GET);

    assert_eq!(client.answer().text(), "203.0.113.7:4711 203.0.113.7:4711 by 127.0.0.1");
}

#[test]
fn a_proxy_that_speaks_for_itself_is_the_client() {
    let [a] = backends(["a"]);
    let gateway = plan("127.0.0.1", &a).start();
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"] {
        let mut client = client(&gateway, header);
        client.send(GET);
        let text = client.answer().text();
        assert!(text.starts_with("127.0.0.1:") && text.ends_with(" : by 127.0.0.1"), "{text}");
    }
}

#[test]
fn without_header_or_with_nonsense_nobody_is_served() {
    let [a] = backends(["a"]);
    let gateway = plan("127.0.0.1", &a).start();
    for bytes in [GET, "PROXY TCP4 1.2.3.4 5.6.7.8 x 80\r\n", "PROXY TCP4 1.2.3.4\r\n"] {
        assert!(client(&gateway, bytes.as_bytes()).closes(), "{bytes}");
    }
    gateway.says("127.0.0.1: closed: it does not begin with a PROXY protocol header (proxy_protocol)");
}

#[test]
fn who_is_not_trusted_is_closed() {
    let [a] = backends(["a"]);
    let gateway = plan("10.0.0.0/8", &a).start();
    let mut client = client(&gateway, b"");
    assert!(client.closes());
    gateway.says("127.0.0.1: closed, it is no trusted proxy (trusted_proxies)");
}

#[test]
fn a_silent_proxy_is_closed_in_time() {
    let [a] = backends(["a"]);
    let gateway = plan("127.0.0.1", &a).section("[limits]\nheader_timeout = \"200ms\"").start();

    assert!(client(&gateway, b"PROXY TCP4 ").closes());
    gateway.says("its PROXY protocol header did not arrive in time (limits.header_timeout)");
}

#[test]
fn a_unix_socket_brings_it_too_and_other_listeners_do_not_want_it() {
    let [a] = backends(["a"]);
    let plan = plan("127.0.0.1", &a);
    let path = plan.folder().join("front.sock");
    let inner = format!(
        "unix:{}\"\ntrusted_proxies = \"unix:\"\nproxy_protocol = true\nbacklog = \"64",
        path.display()
    );
    let gateway = plan.listen("[::1]:0").listen(&inner).start();

    let mut client = Wire::to(&format!("unix:{}", path.display()));
    client.send("PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n");
    client.send(GET);
    assert_eq!(client.answer().text(), "2001:db8::7:4711 2001:db8::7:4711 by unix:");
    let mut plain = Wire::to(&gateway.addresses()[1]);
    plain.send(GET);
    assert!(plain.answer().text().starts_with("::1:"));
}

fn to_backend(version: &str) -> (Gateway, crate::harness::Script) {
    let backend = script();
    let gateway = gateway()
        .listen("127.0.0.1:0\"\ntrusted_proxies = \"127.0.0.1\"\nbacklog = \"64")
        .upstream("api", [&backend])
        .with(&format!("proxy_protocol = \"{version}\""))
        .start();
    (gateway, backend)
}

#[test]
fn backends_are_told_the_client_in_a_line() {
    let (gateway, backend) = to_backend("v1");
    let port = gateway.address().rsplit(':').next().expect("a port").to_owned();
    let mut client = gateway.client();
    for client_is in ["203.0.113.7:4711", "203.0.113.8"] {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client_is}\r\n\r\n"));
        let mut at_backend = backend.accept();
        let line = at_backend.line().expect("a line");
        let (ip, from) = client_is.split_once(':').unwrap_or((client_is, "0"));
        assert_eq!(line, format!("PROXY TCP4 {ip} 127.0.0.1 {from} {port}"));
        at_backend.request();
        at_backend.send("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(client.answer().status(), 204);
        assert!(at_backend.closes(), "the next request may be of another client");
    }
}

#[test]
fn backends_are_told_the_client_in_binary() {
    let (gateway, backend) = to_backend("v2");
    let _client = gateway.begin("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: [2001:db8::7]:4711\r\n\r\n");
    let mut at_backend = backend.accept();

    let header = at_backend.bytes(16 + 36);
    assert_eq!(header[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24");
    assert_eq!(header[16..32], "2001:db8::7".parse::<std::net::Ipv6Addr>().expect("an address").octets());
    assert_eq!(header[48..50], 4711_u16.to_be_bytes());
    assert_eq!(at_backend.request().target(), "/");
}
