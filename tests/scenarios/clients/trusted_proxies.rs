//! Who the client is, behind proxies that are trusted.

use crate::harness::{Backend, Gateway, Message, Plan, backends, gateway};

/// A gateway with these lines for its listener; it answers `/client` by itself.
fn plan(lines: &str, a: &Backend) -> Plan {
    gateway()
        .listen(&format!("127.0.0.1:0\"\n{lines}\nbacklog = \"64"))
        .route("path = \"/client\"\nreturn = { text = \"$remote_addr by $realip_remote_addr\" }")
        .route("path = \"/\"\nupstream = \"api\"")
        .upstream("api", [a])
}

fn ask(gateway: &Gateway, path: &str, fields: &str) -> Message {
    gateway.ask(&format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"))
}

#[test]
fn a_trusted_proxy_names_the_client() {
    let [a] = backends(["a"]);
    let gateway = plan("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]", &a).start();
    let client = |value: &str| ask(&gateway, "/client", &format!("X-Forwarded-For: {value}\r\n")).text();

    assert_eq!(client("203.0.113.7"), "203.0.113.7 by 127.0.0.1");
    assert_eq!(client("6.6.6.6, 203.0.113.7, 10.1.2.3"), "203.0.113.7 by 127.0.0.1");
    assert_eq!(ask(&gateway, "/client", "").text(), "127.0.0.1 by 127.0.0.1");
}

#[test]
fn others_name_nobody() {
    let [a] = backends(["a"]);
    let gateway = plan("trusted_proxies = \"10.0.0.0/8\"", &a).start();

    let answer = ask(&gateway, "/client", "X-Forwarded-For: 203.0.113.7\r\n");
    assert_eq!(answer.text(), "127.0.0.1 by 127.0.0.1");
    ask(
        &gateway,
        "/",
        "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\nX-Forwarded-Proto: https\r\n",
    );
    let request = a.only_request();
    assert_eq!((request.field("x-forwarded-for"), request.has("forwarded")), ("127.0.0.1".into(), false));
    assert_eq!(request.field("x-forwarded-proto"), "http");
}

#[test]
fn the_backend_learns_the_client_and_the_hops() {
    let [a] = backends(["a"]);
    let gateway = plan("trusted_proxies = \"127.0.0.0/8\"", &a).start();
    ask(
        &gateway,
        "/",
        "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: front.example\r\n",
    );

    let request = a.only_request();
    assert_eq!(request.field("x-real-ip"), "203.0.113.7");
    assert_eq!(request.field("x-forwarded-for"), "203.0.113.7, 127.0.0.1");
    assert_eq!(request.all("x-forwarded-proto"), ["https"]);
    assert_eq!(request.all("x-forwarded-host"), ["front.example"]);
}

#[test]
fn forwarded_and_other_fields_can_name_it_too() {
    let [a] = backends(["a"]);
    let trusting = |field: &str| {
        plan(&format!("trusted_proxies = \"127.0.0.1\"\nreal_ip_header = \"{field}\""), &a).start()
    };

    let answer =
        ask(&trusting("Forwarded"), "/client", "Forwarded: for=\"[2001:db8::7]:80\";proto=https\r\n");
    assert_eq!(answer.text(), "2001:db8::7 by 127.0.0.1");
    let answer = ask(&trusting("CF-Connecting-IP"), "/client", "CF-Connecting-IP: 203.0.113.9\r\n");
    assert_eq!(answer.text(), "203.0.113.9 by 127.0.0.1");
}

#[test]
fn limits_and_hashes_see_the_client() {
    let [a, b] = backends(["a", "b"]);
    let gateway = plan("trusted_proxies = \"127.0.0.1\"", &a)
        .section("[rate_limit.one]\nrate = \"1/h\"")
        .route("path = \"/one\"\nreturn = 204\nrate_limits = \"one\"")
        .route("path = \"/hash\"\nupstream = \"both\"")
        .upstream("both", [&a, &b])
        .policy("ip_hash")
        .start();
    let one = |client: &str| ask(&gateway, "/one", &format!("X-Forwarded-For: {client}\r\n")).status();
    let who = |client: u8| ask(&gateway, "/hash", &format!("X-Forwarded-For: 10.0.{client}.1\r\n")).backend();

    assert_eq!((one("1.1.1.1"), one("2.2.2.2"), one("1.1.1.1")), (204, 204, 429));
    gateway.says("1.1.1.1, every host /one: 429");
    let served: std::collections::BTreeSet<_> = (0..32).map(who).collect();
    assert_eq!(served.len(), 2, "clients of many networks go to both");
}

#[test]
fn whom_to_believe_changes_with_a_reload() {
    let [a] = backends(["a"]);
    let gateway = plan("trusted_proxies = \"127.0.0.1\"", &a).start();
    gateway.rewrite(|text| text.replace("trusted_proxies = \"127.0.0.1\"", "trusted_proxies = \"10.0.0.1\""));
    gateway.reload();

    assert_eq!(ask(&gateway, "/client", "X-Forwarded-For: 9.9.9.9\r\n").text(), "127.0.0.1 by 127.0.0.1");
}
