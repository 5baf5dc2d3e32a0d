//! Tunnels begin after a 101 and at no other time (RFC 9110 section 7.8).

use crate::harness::{Gateway, Script, Wire, eventually, gateway, script};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A tunnel through a gateway, and both its ends.
struct Tunnel {
    backend: Script,
    gateway: Gateway,
    client: Wire,
    connection: Wire,
}

/// A tunnel to a backend of an upstream with this line.
fn tunnel(line: &str) -> Tunnel {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with(line).start();
    let mut client = gateway.begin(UPGRADE);
    let mut connection = backend.accept();
    connection.request();
    connection.send(SWITCHING);
    assert_eq!(client.answer().status(), 101);
    Tunnel { backend, gateway, client, connection }
}

#[test]
fn bytes_pass_both_ways_after_101() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(UPGRADE);
    let mut connection = backend.accept();
    let request = connection.request();
    assert_eq!(
        (request.field("upgrade"), request.field("connection").to_lowercase()),
        ("websocket".into(), "upgrade".into())
    );

    connection.send(format!("{SWITCHING}first words"));
    let answer = client.answer();
    assert_eq!((answer.status(), answer.field("upgrade")), (101, "websocket".into()));
    assert_eq!(client.bytes(11), b"first words");
    client.send("\x00not http");
    assert_eq!(connection.bytes(9), b"\x00not http");
}

#[test]
fn a_tunnel_is_in_flight_until_it_closes() {
    let mut tunnel = tunnel("");
    assert_eq!(tunnel.gateway.backend("api", &tunnel.backend, "in_flight"), 1);

    drop(tunnel.client);
    assert!(tunnel.connection.closes());
    drop(tunnel.connection);
    eventually("the tunnel is over", || tunnel.gateway.backend("api", &tunnel.backend, "in_flight") == 0);
}

#[test]
fn the_backend_ends_a_tunnel_too() {
    let mut tunnel = tunnel("");

    tunnel.connection.send("bye");
    drop(tunnel.connection);
    assert_eq!(tunnel.client.rest(), b"bye");
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin(&format!("{UPGRADE}GET /second HTTP/1.1\r\nHost: test\r\n\r\n"));
    let mut connection = backend.accept();
    assert_eq!(connection.request().target(), "/chat");

    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(client.answer().text(), "no");
    let mut next = backend.try_accept().unwrap_or(connection);
    assert_eq!(next.request().target(), "/second", "what came behind is a request, not a tunnel");
}

#[test]
fn http_1_0_cannot_upgrade() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let _client = gateway.begin(&UPGRADE.replace("HTTP/1.1", "HTTP/1.0"));

    assert!(!backend.accept().request().has("upgrade"));
}

#[test]
fn http_2_is_nothing_to_upgrade_to() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let _client = gateway.begin(&UPGRADE.replace("websocket", "h2c"));

    assert!(!backend.accept().request().has("upgrade"));
}

#[test]
fn a_tunnel_survives_a_reload() {
    let mut tunnel = tunnel("");

    tunnel.gateway.reload();
    tunnel.client.send("ping");
    assert_eq!(tunnel.connection.bytes(4), b"ping");
    tunnel.connection.send("pong");
    assert_eq!(tunnel.client.bytes(4), b"pong");
}

#[test]
fn a_tunnel_in_which_nobody_speaks_is_closed_in_time() {
    let mut tunnel = tunnel("read_timeout = \"100ms\"");

    assert!(tunnel.client.closes() && tunnel.connection.closes());
}

#[test]
fn a_101_that_nobody_asked_for_is_a_502_even_beside_tunnels() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/plain");
    let mut connection = backend.accept();
    connection.request();

    connection.send(SWITCHING);
    assert_eq!(client.answer().status(), 502);
}

#[test]
fn a_body_beside_an_upgrade_stays_a_body() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let request = UPGRADE.replace("GET", "POST").replace("Host:", "Content-Length: 5\r\nHost:");
    let mut client = gateway.begin(&format!("{request}helloGET /second HTTP/1.1\r\nHost: test\r\n\r\n"));

    let mut connection = backend.accept();
    let first = connection.request();
    assert_eq!((first.text().as_str(), first.has("upgrade")), ("hello", false));
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(client.answer().text(), "no");
    assert_eq!(connection.request().target(), "/second");
}
