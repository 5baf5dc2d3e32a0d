//! The host decides first: exact, then wildcard, then routes without a host.

use crate::harness::{Gateway, backends, gateway};

fn asked(gateway: &Gateway, host: &str) -> String {
    gateway.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).backend()
}

#[test]
fn the_most_exact_host_wins() {
    let [exact, wild, other] = backends(["exact", "wild", "other"]);
    let gateway = gateway()
        .route("path = \"/\"\nupstream = \"other\"")
        .route("host = \"*.example\"\npath = \"/\"\nupstream = \"wild\"")
        .route("host = \"a.example\"\npath = \"/\"\nupstream = \"exact\"")
        .upstream("exact", [&exact])
        .upstream("wild", [&wild])
        .upstream("other", [&other])
        .start();

    assert_eq!(asked(&gateway, "a.example"), "exact");
    assert_eq!(asked(&gateway, "b.example"), "wild");
    assert_eq!(asked(&gateway, "deep.b.example"), "wild");
    assert_eq!(asked(&gateway, "example"), "other", "the wildcard stands for at least one label");
    assert_eq!(asked(&gateway, "a.example.org"), "other");
}

#[test]
fn case_port_and_final_dot_do_not_matter() {
    let [a, other] = backends(["a", "other"]);
    let gateway = gateway()
        .route("host = \"a.example\"\npath = \"/\"\nupstream = \"a\"")
        .route("path = \"/\"\nupstream = \"other\"")
        .upstream("a", [&a])
        .upstream("other", [&other])
        .start();

    for host in ["a.example", "A.Example", "a.example:8080", "a.example."] {
        assert_eq!(asked(&gateway, host), "a", "{host}");
    }
}

#[test]
fn a_route_may_name_several_hosts() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .route("host = [\"a.example\", \"*.b.example\"]\npath = \"/\"\nupstream = \"a\"")
        .upstream("a", [&a])
        .start();

    assert_eq!((asked(&gateway, "a.example"), asked(&gateway, "x.b.example")), ("a".into(), "a".into()));
    assert_eq!(gateway.ask("GET / HTTP/1.1\r\nHost: c.example\r\n\r\n").status(), 404);
}
