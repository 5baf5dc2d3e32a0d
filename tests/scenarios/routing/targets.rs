//! Targets that are not just a path (RFC 9112 section 3.2).

use crate::harness::{backends, gateway};

#[test]
fn an_absolute_target_beats_the_host_field() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .route("host = \"a.example\"\npath = \"/\"\nupstream = \"a\"")
        .route("host = \"b.example\"\npath = \"/\"\nupstream = \"b\"")
        .upstream("a", [&a])
        .upstream("b", [&b])
        .start();

    assert_eq!(gateway.ask("GET http://b.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n").backend(), "b");
    let request = b.only_request();
    assert_eq!((request.target(), request.all("host")), ("/x?y", vec!["b.example"]));
}

#[test]
fn an_absolute_target_without_a_path_asks_for_the_root() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("a", [&a]).start();
    gateway.ask("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n");

    assert_eq!(a.only_request().target(), "/");
}

#[test]
fn bytes_of_the_target_stay_as_they_are() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("a", [&a]).start();
    let targets = ["/a%20b", "/%2F%2f", "/x?q=%00&r=a+b", "/a;b=c,d", "/?", "/~user/[x]"];
    for target in targets {
        gateway.get(target);
    }

    let seen = a.requests();
    assert_eq!(seen.iter().map(|r| r.target()).collect::<Vec<_>>(), targets);
}

#[test]
fn an_encoded_line_end_stays_encoded() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("a", [&a]).start();
    gateway.get("/%0d%0aX-Injected:%20yes");

    let request = a.only_request();
    assert_eq!((request.target(), request.has("x-injected")), ("/%0d%0aX-Injected:%20yes", false));
}

#[test]
fn options_may_ask_about_the_server_as_a_whole() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("a", [&a]).start();

    let status = gateway.ask("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n").status();
    assert!(status < 500, "{status}");
    assert!(a.requests().iter().all(|r| r.target() == "*"));
}
