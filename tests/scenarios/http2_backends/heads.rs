//! What a backend is told in HTTP/2: the same as in HTTP/1.1, in its own form.

use http::Request;

use crate::harness::{Gateway, GrpcBackend, H2, gateway, grpc_backend};

fn started() -> (GrpcBackend, Gateway) {
    let backend = grpc_backend(None);
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    (backend, gateway)
}

/// The head that arrives when these lines are sent.
#[track_caller]
fn arrived(lines: &str) -> Request<()> {
    let (backend, gateway) = started();
    let answer = gateway.ask(&format!("GET /x?y HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"));
    assert_eq!(answer.status(), 200, "the backend takes it: {answer:?}");
    backend.heads().remove(0)
}

fn all<'a>(head: &'a Request<()>, name: &str) -> Vec<&'a str> {
    head.headers().get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect()
}

#[test]
fn the_host_becomes_the_authority() {
    let head = arrived("");
    assert_eq!(head.uri().to_string(), "http://a.example/x?y");
    assert!(!head.headers().contains_key("host"));
}

#[test]
fn hop_by_hop_fields_end_at_the_gateway() {
    let head = arrived(
        "Connection: keep-alive, X-Named, Upgrade, HTTP2-Settings\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: websocket\r\nHTTP2-Settings: AAMAAABk\r\nX-Stays: 1\r\n",
    );
    for gone in ["connection", "x-named", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"]
    {
        assert!(!head.headers().contains_key(gone), "{gone} in {head:?}");
    }
    assert_eq!(all(&head, "x-stays"), ["1"]);
}

#[test]
fn connection_cannot_name_away_what_the_gateway_says() {
    let head = arrived("Connection: Host, X-Forwarded-For, X-Real-IP, Via\r\nVia: 1.0 fred\r\n");
    assert_eq!(head.uri().host(), Some("a.example"));
    assert_eq!(
        [all(&head, "x-forwarded-for"), all(&head, "x-real-ip"), all(&head, "via")],
        [["127.0.0.1"], ["127.0.0.1"], ["1.0 fred, 1.1 pointsman"]]
    );
}

#[test]
fn what_was_expected_of_the_gateway_is_not_expected_of_the_backend() {
    assert!(!arrived("Expect: 100-continue\r\n").headers().contains_key("expect"));
}

#[test]
fn trailers_never_become_headers_nor_reframe_anything() {
    let (backend, gateway) = started();
    let mut client = gateway.begin(
        "POST /test.Echo/Stream HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\
         Authorization: evil\r\nX-Sum: 42\r\n\r\n",
    );

    let answer = client.answer();
    let mut echoed: Vec<_> = answer.trailers.iter().map(|(name, _)| name.as_str()).collect();
    echoed.sort_unstable();
    assert_eq!((answer.text().as_str(), echoed), ("hi", vec!["grpc-status", "x-sum"]));
    assert!(!backend.heads()[0].headers().contains_key("authorization"));
}

#[test]
fn http_2_on_both_sides_is_no_shortcut() {
    let (backend, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.get(
        1,
        "/a/%2e%2e/b",
        &[("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("via", "2.0 x")],
    );
    client.end_of(1);

    let head = backend.heads().remove(0);
    assert_eq!(head.uri().to_string(), "http://test/b");
    assert_eq!((all(&head, "cookie"), all(&head, "te")), (vec!["a=1; b=2"], vec!["trailers"]));
    assert_eq!(all(&head, "via"), ["2.0 x, 1.1 pointsman"]);
}
