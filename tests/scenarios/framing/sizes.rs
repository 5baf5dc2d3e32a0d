//! Heads and bodies have limits, and keeping them costs the gateway no memory.

use crate::harness::{Gateway, backends, gateway, script};

const MEGABYTE: usize = 1 << 20;

/// Sends a head of about `size` bytes that repeats `more`; the status of the answer, 0 when the
/// connection just ends. (A reset may overtake the answer of a gateway that stopped reading.)
fn flooded(gateway: &Gateway, begin: &str, more: &str, size: usize) -> u16 {
    let mut client = gateway.begin(begin);
    let _ = client.try_send(more.repeat(size / more.len()));
    client.try_answer().map_or(0, |answer| answer.status())
}

#[test]
fn heads_without_end_are_refused_and_take_no_memory() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    assert_eq!(gateway.get("/").status(), 200);
    let before = gateway.memory();

    for _ in 0..5 {
        assert!(matches!(
            flooded(&gateway, "GET / HTTP/1.1\r\nHost: test\r\nX-Long: ", "x", MEGABYTE),
            0 | 400 | 431
        ));
        assert!(matches!(
            flooded(&gateway, "GET / HTTP/1.1\r\nHost: test\r\n", "X-More: x\r\n", MEGABYTE),
            0 | 400 | 431
        ));
        assert!(matches!(flooded(&gateway, "GET /", "x", MEGABYTE), 0 | 400 | 414 | 431));
    }
    assert_eq!(a.hits(), 1);
    assert!(gateway.memory() < before + (8 << 10), "{before} grew to {} KiB", gateway.memory());
}

#[test]
fn a_head_just_above_the_limit_is_told_so() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_head = \"16k\"").upstream("api", [&a]).start();
    let head = |size: usize| format!("GET / HTTP/1.1\r\nHost: test\r\nX-Long: {}\r\n\r\n", "x".repeat(size));

    assert_eq!(gateway.ask(&head(14 << 10)).status(), 200);
    assert_eq!(gateway.ask(&head(17 << 10)).status(), 431);
    assert_eq!(a.hits(), 1);
}

#[test]
fn a_target_just_above_the_limit_is_told_so() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_head = \"16k\"").upstream("api", [&a]).start();
    for size in [17 << 10, 64 << 10] {
        let target = "x".repeat(size);
        let status = gateway.ask(&format!("GET /{target} HTTP/1.1\r\nHost: test\r\n\r\n")).status();
        assert!(matches!(status, 414 | 431), "{status}");
    }
}

#[test]
fn a_declared_body_above_the_limit_is_refused_before_it_is_sent() {
    let backend = script();
    let gateway = gateway().section("[limits]\nmax_body = \"1k\"").upstream("api", [&backend]).start();

    let answer = gateway.ask("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1025\r\n\r\n");
    assert_eq!(answer.status(), 413);
    assert!(backend.try_accept().is_none());
}

#[test]
fn a_chunked_body_above_the_limit_never_ends_at_the_backend() {
    let backend = script();
    let gateway = gateway().section("[limits]\nmax_body = \"1k\"").upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("800\r\n{}\r\n0\r\n\r\n", "x".repeat(2048)));

    assert_eq!(client.answer().status(), 413);
    if let Some(mut connection) = backend.try_accept() {
        assert!(connection.try_request().is_none());
    }
}

#[test]
fn a_body_of_exactly_the_limit_passes() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_body = \"1k\"").upstream("api", [&a]).start();

    let body = "x".repeat(1024);
    assert_eq!(
        gateway.ask(&format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1024\r\n\r\n{body}")).status(),
        200
    );
    assert_eq!(a.only_request().body.len(), 1024);
}

#[test]
fn a_route_has_its_own_limit() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .section("[limits]\nmax_body = \"1k\"")
        .route("path = \"/\"\nupstream = \"api\"")
        .route("path = \"/large\"\nupstream = \"api\"\nmax_body = \"2k\"")
        .upstream("api", [&a])
        .start();
    let post = |path: &str| {
        gateway.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 2048\r\n\r\n{}",
            "x".repeat(2048)
        ))
    };

    assert_eq!((post("/small").status(), post("/large").status()), (413, 200));
}

#[test]
fn an_upload_that_is_refused_can_be_read_to_be_so() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_body = \"1k\"").upstream("api", [&a]).start();
    let mut client =
        gateway.begin(&format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {MEGABYTE}\r\n\r\n"));
    client.send(vec![b'x'; MEGABYTE]);

    let answer = client.answer();
    assert_eq!((answer.status(), answer.field("connection")), (413, "close".into()));
    assert!(answer.text().contains("max_body"), "{}", answer.text());
    assert!(client.closes());
}
