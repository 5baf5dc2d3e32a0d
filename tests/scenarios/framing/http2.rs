//! What HTTP/2 can carry and HTTP/1.1 must not (RFC 9113 sections 8.2 and 10.3), and clients that
//! ask faster than they listen.

use crate::harness::{Backend, End, Gateway, H2, backends, eventually, gateway};

fn started() -> (Backend, Gateway) {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    (a, gateway)
}

#[track_caller]
fn is_refused(end: &End, of: &str) {
    assert!(
        matches!(end, End::Reset(_) | End::Over(_) | End::Answered(400..=499 | 501)),
        "{end:?} for {of:?}"
    );
}

#[test]
fn a_plain_request_is_answered() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.get(1, "/x", &[("x-plain", "yes")]);

    assert_eq!(client.end_of(1), End::Answered(200));
    assert_eq!((a.only_request().target(), a.only_request().field("x-plain").as_str()), ("/x", "yes"));
}

#[test]
fn line_ends_never_reach_http_1_1() {
    let (a, gateway) = started();
    for (method, path, name, value) in [
        ("GET", "/\r\nx-evil: 1", "x-a", "b"),
        ("GET", "/ HTTP/1.1\r\nHost: evil\r\n\r\n", "x-a", "b"),
        ("GET / HTTP/1.1\r\nx-evil: 1\r\nx:", "/", "x-a", "b"),
        ("GET", "/", "x-a", "b\r\nx-evil: 1"),
        ("GET", "/", "x-a", "b\nx-evil: 1"),
        ("GET", "/", "x-a", "b\0"),
        ("GET", "/", "x-a: b\r\nx-evil", "1"),
        ("GET", "/", "X-Upper", "b"),
        ("GET", "/a b", "x-a", "b"),
        ("GET", "no-slash", "x-a", "b"),
        ("GET", "", "x-a", "b"),
    ] {
        let mut client = H2::on(gateway.client());
        client.request(1, method, path, &[(name, value)], true);
        is_refused(&client.end_of(1), &format!("{method} {path} {name}: {value}"));
    }
    assert_eq!(a.hits(), 0, "{:?}", a.requests());
}

#[test]
fn authorities_and_schemes_that_are_none_never_reach_http_1_1() {
    let (a, gateway) = started();
    for (scheme, authority) in [
        ("http", "a\r\nx-evil: 1"),
        ("http", "a b"),
        ("http", "user@a"),
        ("http", "a/b"),
        ("http", "a,b"),
        ("http", ""),
        ("http://evil/?", "a"),
        ("ht\r\ntp", "a"),
        ("ftp", "a"),
        ("", "a"),
    ] {
        let mut client = H2::on(gateway.client());
        let pseudo = [(":method", "GET"), (":scheme", scheme), (":authority", authority), (":path", "/")];
        client.headers(1, &pseudo, true);
        is_refused(&client.end_of(1), &format!("{scheme} {authority}"));
    }
    assert_eq!(a.hits(), 0, "{:?}", a.requests());
}

#[test]
fn connect_opens_no_way_to_anywhere() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.headers(1, &[(":method", "CONNECT"), (":authority", "other.example:443")], false);

    is_refused(&client.end_of(1), "CONNECT");
    assert_eq!(a.connections(), 0);
}

#[test]
fn cookie_crumbs_become_one_line() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.get(1, "/", &[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);

    assert_eq!(client.end_of(1), End::Answered(200));
    assert_eq!(a.only_request().all("cookie"), ["a=1; b=2; c=3"]);
}

#[test]
fn fields_of_a_connection_are_refused_or_left_out() {
    let (a, gateway) = started();
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
    ] {
        let mut client = H2::on(gateway.client());
        client.get(1, "/", &[(name, value)]);
        client.end_of(1);
        assert!(a.requests().iter().all(|r| !r.has(name)), "{name} in {:?}", a.requests());
    }
}

#[test]
fn a_declared_length_must_be_true() {
    let (a, gateway) = started();
    for (declared, sent) in [("3", "hello"), ("9", "hello"), ("5, 6", "hello"), ("+5", "hello")] {
        let mut client = H2::on(gateway.client());
        client.request(1, "POST", "/", &[("content-length", declared)], false);
        client.data(1, sent.as_bytes(), true);
        is_refused(&client.end_of(1), declared);
    }
    assert_eq!(a.hits(), 0, "{:?}", a.requests());
}

#[test]
fn authority_and_host_never_disagree_at_the_backend() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.get(1, "/", &[("host", "evil")]);
    client.end_of(1);
    let mut client = H2::on(gateway.client());
    client.headers(1, &[(":method", "GET"), (":scheme", "http"), (":path", "/")], true);
    is_refused(&client.end_of(1), "no authority");

    assert!(a.requests().iter().all(|r| r.all("host") == ["test"]), "{:?}", a.requests());
}

#[test]
fn pseudo_fields_among_trailers_are_refused_or_left_out() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/", &[], false);
    client.data(1, b"hello", false);
    client.headers(1, &[(":path", "/evil"), (":authority", "evil")], true);
    client.end_of(1);

    for request in a.requests() {
        assert_eq!((request.target(), request.all("host")), ("/", vec!["test"]));
        assert_eq!(request.trailers, []);
    }
}

#[test]
fn resets_in_quick_succession_leave_others_alone() {
    let (a, gateway) = started();
    let mut hasty = H2::on(gateway.client());
    for stream in (1..4000).step_by(2) {
        hasty.get(stream, "/hasty", &[]);
        if !hasty.reset(stream) {
            break;
        }
    }

    assert_eq!(gateway.get("/calm").backend(), "a");
    drop(hasty);
    eventually("nothing is left of it", || gateway.backend("api", &a, "in_flight") == 0);
}

#[test]
fn a_head_above_the_limit_is_refused() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_head = \"8k\"").upstream("api", [&a]).start();
    let mut client = H2::on(gateway.client());
    client.get(1, "/", &[("x-long", &"x".repeat(10_000))]);

    is_refused(&client.end_of(1), "10 kB of head");
    assert_eq!(a.hits(), 0);
}

#[test]
fn a_fragment_never_reaches_http_1_1() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.get(1, "/a#/../b", &[]);
    client.end_of(1);

    assert!(a.requests().iter().all(|request| request.target() == "/a"), "{:?}", a.requests());
}

#[test]
fn trailers_above_the_limit_go_no_further() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_head = \"8k\"").upstream("api", [&a]).start();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/", &[], false);
    client.data(1, b"hello", false);
    client.headers(1, &[("x-long", &"x".repeat(10_000))], true);
    client.end_of(1);

    assert!(a.requests().iter().all(|request| request.trailers.is_empty()), "{:?}", a.requests());
}

#[test]
fn two_lengths_are_refused_even_if_they_agree() {
    let (a, gateway) = started();
    for second in ["5", "6"] {
        let mut client = H2::on(gateway.client());
        client.request(1, "POST", "/", &[("content-length", "5"), ("content-length", second)], false);
        client.data(1, b"hello", true);
        is_refused(&client.end_of(1), second);
    }
    assert_eq!(a.connections(), 0);
}

#[test]
fn an_answer_to_head_has_no_body_even_if_it_is_the_gateways_own() {
    let [a] = backends(["a"]);
    let gateway = gateway().route("path = \"/only\"\nupstream = \"api\"").upstream("api", [&a]).start();
    let mut client = H2::on(gateway.client());
    for (stream, path, status) in [(1, "/only", 200), (3, "/other", 404)] {
        client.request(stream, "HEAD", path, &[], true);
        let heads = client.heads();
        assert_eq!((client.end_of(stream), client.pieces()), (End::Answered(status), 0), "{path}");
        assert_eq!(client.heads(), heads + 1);
    }
}

#[test]
fn max_forwards_ends_at_the_gateway() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    for (stream, method) in [(1, "OPTIONS"), (3, "TRACE")] {
        client.request(stream, method, "/", &[("max-forwards", "0")], true);
        assert_eq!(client.end_of(stream), End::Answered(200));
    }
    assert_eq!(a.hits(), 0);

    client.request(5, "OPTIONS", "/", &[("max-forwards", "3"), ("via", "2.0 fred")], true);
    client.end_of(5);
    let request = a.only_request();
    assert_eq!(
        (request.field("max-forwards"), request.field("via")),
        ("2".into(), "2.0 fred, 1.1 pointsman".into())
    );
}

#[test]
fn who_waits_for_a_continue_gets_it() {
    let (a, gateway) = started();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/", &[("expect", "100-continue"), ("content-length", "5")], false);
    assert_eq!(client.status_of(1), 100);
    client.data(1, b"hello", true);

    assert_eq!(client.end_of(1), End::Answered(200));
    let request = a.only_request();
    assert_eq!((request.text().as_str(), request.has("expect")), ("hello", false));
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
    for path in ["/open/../closed", "/open/%2e%2e/closed", "/open/.%2E/closed", "/open/x/../../closed"] {
        let mut client = H2::on(gateway.client());
        client.get(1, path, &[]);
        client.end_of(1);
    }

    assert_eq!(open.hits(), 0);
    assert!(closed.requests().iter().all(|request| request.target() == "/closed"));
}
