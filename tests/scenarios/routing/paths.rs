//! The path decides next: exact, then the longest prefix.

use crate::harness::{Gateway, backends, gateway};

fn started() -> (Gateway, [crate::harness::Backend; 4]) {
    let servers = backends(["root", "chat", "deep", "exact"]);
    let [root, chat, deep, exact] = &servers;
    let gateway = gateway()
        .route("path = \"/\"\nupstream = \"root\"")
        .route("path = \"/chat\"\nupstream = \"chat\"")
        .route("path = \"/chat/deep/\"\nupstream = \"deep\"")
        .route("path = \"= /chat/deep/exact\"\nupstream = \"exact\"")
        .upstream("root", [root])
        .upstream("chat", [chat])
        .upstream("deep", [deep])
        .upstream("exact", [exact])
        .start();
    (gateway, servers)
}

#[test]
fn the_longest_prefix_wins_whatever_the_order() {
    let (gateway, _servers) = started();
    for (path, expected) in [
        ("/", "root"),
        ("/other", "root"),
        ("/chat", "chat"),
        ("/chat/", "chat"),
        ("/chat/completions", "chat"),
        ("/chat/deep", "chat"),
        ("/chat/deep/", "deep"),
        ("/chat/deep/exact/not", "deep"),
    ] {
        assert_eq!(gateway.get(path).backend(), expected, "{path}");
    }
}

#[test]
fn an_exact_path_beats_every_prefix_and_ignores_the_query() {
    let (gateway, _servers) = started();
    for path in ["/chat/deep/exact", "/chat/deep/exact?q=/other"] {
        assert_eq!(gateway.get(path).backend(), "exact", "{path}");
    }
}

#[test]
fn without_a_route_it_is_404() {
    let [a] = backends(["a"]);
    let gateway = gateway().route("path = \"/chat\"\nupstream = \"a\"").upstream("a", [&a]).start();
    let mut client = gateway.begin_get("/other");

    assert_eq!(client.answer().status(), 404);
    client.send("GET /chat HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.answer().backend(), "a", "and the connection goes on");
    assert_eq!(a.hits(), 1);
}

#[test]
fn nothing_dodges_its_route() {
    let [open, closed] = backends(["open", "closed"]);
    let gateway = gateway()
        .route("path = \"/open\"\nupstream = \"open\"")
        .route("path = \"/closed\"\nupstream = \"closed\"")
        .upstream("open", [&open])
        .upstream("closed", [&closed])
        .start();
    for path in [
        "/open/../closed",
        "/open/%2e%2e/closed",
        "/open/.%2E/closed",
        "/open//x",
        "/open/%2Fx",
        "/open/./a%20b",
    ] {
        gateway.get(path);
    }

    for (backend, prefix) in [(&open, "/open"), (&closed, "/closed")] {
        for request in backend.requests() {
            let meant = resolved(request.target());
            assert!(meant.starts_with(prefix), "{} means {meant} and came to {prefix}", request.target());
        }
    }
}

/// A path as a backend may understand it: dot segments resolved (RFC 3986 section 6.2.2).
fn resolved(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.to_lowercase().replace("%2e", ".").split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment.to_owned()),
        }
    }
    format!("/{}", segments.join("/"))
}
