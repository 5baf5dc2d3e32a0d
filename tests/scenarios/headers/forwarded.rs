//! Who asked, told to the backend.

use crate::harness::{Message, Plan, Wire, backends, gateway};

fn arrived(lines: &str) -> Message {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.ask(&format!("GET / HTTP/1.1\r\nHost: shop.example:8080\r\n{lines}\r\n"));
    a.only_request()
}

#[test]
fn the_client_is_named() {
    let request = arrived("");
    assert_eq!(request.field("x-real-ip"), "127.0.0.1");
    assert_eq!(request.field("x-forwarded-for"), "127.0.0.1");
    assert_eq!(request.field("x-forwarded-proto"), "http");
}

#[test]
fn the_host_stays_as_the_client_wrote_it() {
    assert_eq!(arrived("").all("host"), ["shop.example:8080"]);
}

#[test]
fn the_client_is_added_to_those_before_it() {
    let request = arrived("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.0.0.1\r\n");
    assert_eq!(request.field("x-forwarded-for"), "203.0.113.7, 10.0.0.1, 127.0.0.1");
}

#[test]
fn the_client_cannot_say_who_it_is() {
    let request = arrived("X-Real-IP: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(
        (request.all("x-real-ip"), request.all("x-forwarded-proto")),
        (vec!["127.0.0.1"], vec!["http"])
    );
}

#[test]
fn via_grows() {
    assert_eq!(
        arrived("Via: 1.0 fred\r\n").field("via"),
        "1.0 fred, 1.1 pointsman",
        "RFC 9110 section 7.6.3"
    );
}

#[test]
fn a_client_on_a_unix_socket_has_no_address() {
    let [a] = backends(["a"]);
    let plan: Plan = gateway();
    let address = format!("unix:{}/front.sock", plan.folder().display());
    let gateway = plan.listen(&address).upstream("api", [&a]).start();
    let mut client = Wire::to(gateway.address());
    client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n");
    assert_eq!(client.answer().status(), 200);

    let forwarded = a.only_request().field("x-forwarded-for");
    assert!(forwarded.starts_with("203.0.113.7"), "{forwarded}");
}
