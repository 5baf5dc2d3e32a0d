//! A client's nonsense gets an answer that says so, costs its connection, and reaches no backend.

use crate::harness::{Wire, backends, gateway};

/// What is sent, and the statuses that answer it properly.
type Case<'a> = (&'a str, &'a [u16]);

/// Sends each case on a connection of its own to a gateway whose backend nobody may reach.
#[track_caller]
fn all_refused(cases: &[Case<'_>]) {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let mut wrong = Vec::new();
    for (request, expected) in cases {
        let before = a.connections();
        let mut client = gateway.begin(request);
        let answer = client.try_answer();
        let got = answer.map_or(0, |a| a.status());
        if !expected.contains(&got) {
            wrong.push(format!("{got} instead of {expected:?} for {request:?}"));
        } else if !client.closes() {
            wrong.push(format!("the connection stays open after {request:?}"));
        } else if a.connections() > before {
            wrong.push(format!("the backend was reached by {request:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn with(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: test\r\n{lines}\r\n\r\nhello")
}

#[test]
fn hosts() {
    all_refused(&[
        ("GET / HTTP/1.1\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a:port\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", &[400]),
        ("GET http://a/ HTTP/1.1\r\n\r\n", &[400]),
        ("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400]),
    ]);
}

#[test]
fn lengths() {
    let bad =
        ["+5", "-5", "0x5", "5a", "5_0", "\"5\"", "", " ", "5 5", "5, 6", "18446744073709551621", "5;5"];
    let requests = bad.map(|length| with(&format!("Content-Length: {length}")));
    let cases = requests.each_ref().map(|r| (r.as_str(), &[400, 413][..]));
    all_refused(&cases);
    all_refused(&[(&with("Content-Length: 5\r\nContent-Length: 6"), &[400])]);
}

#[test]
fn transfer_encodings() {
    let bad = [
        "identity",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked, gzip",
        "chunked;q=1",
        "chunked, identity",
        "gzip, chunked",
        "chunked, chunked",
        ",chunked",
        "chunked,",
        "\u{a0}chunked",
        "\x0bchunked",
        "chunked\x0c",
        "",
        "gzip",
    ];
    let requests = bad.map(|coding| with(&format!("Transfer-Encoding: {coding}")));
    let cases = requests.each_ref().map(|r| (r.as_str(), &[400, 501][..]));
    all_refused(&cases);
    all_refused(&[
        (&with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), &[400, 501]),
        (&with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), &[400, 501]),
        (&with("Transfer-Encoding : chunked"), &[400]),
        (&with("Transfer-Encoding:\r\n chunked"), &[400]),
        (&with("Transfer-Encoding: chunked\r\n , identity"), &[400]),
    ]);
}

/// What is no UTF-8, and so no text of a test.
#[test]
fn a_coding_behind_a_byte_that_looks_like_a_space() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    for byte in [0xa0, 0x85, 0xff] {
        let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: ");
        client.send([&[byte][..], b"chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"].concat());
        assert!(matches!(client.answer().status(), 400 | 501));
        assert!(client.closes());
    }
    assert_eq!(a.connections(), 0);
}

#[test]
fn equal_lengths_are_refused_or_one_length() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    for lines in ["Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5"] {
        let status = gateway.ask(&with(lines)).status();
        assert!(matches!(status, 200 | 400), "{status} for {lines:?}");
    }

    for request in a.requests() {
        assert_eq!((request.all("content-length"), request.text()), (vec!["5"], "hello".into()));
    }
}

#[test]
fn fields() {
    all_refused(&[
        (&with("X-Odd : space before the colon"), &[400]),
        (&with("no colon at all"), &[400]),
        (&with(": no name"), &[400]),
        (&with("X Odd: a space in the name"), &[400]),
        (&with("X-(Odd): not a token"), &[400]),
        (&with("X-Odd: a\0b"), &[400]),
        (&with("X-Odd: a\x01b"), &[400]),
        (&with("X-Odd: a\r\n\rX: b"), &[400]),
        ("GET / HTTP/1.1\rHost: test\r\r", &[400]),
        (&with("X-\u{e9}: not ASCII"), &[400]),
        ("GET / HTTP/1.1\r\n folded: first\r\nHost: test\r\n\r\n", &[400]),
    ]);
}

#[test]
fn request_lines() {
    all_refused(&[
        ("GET  / HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET / x HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET /\0 HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET /\x01 HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET http://test/a#b HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET no-slash HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("G(T / HTTP/1.1\r\nHost: test\r\n\r\n", &[400, 501]),
        ("GET / HTTP/3.0\r\nHost: test\r\n\r\n", &[400, 505]),
        ("GET / HTTP/1.2.3\r\nHost: test\r\n\r\n", &[400, 505]),
        ("GET / http/1.1\r\nHost: test\r\n\r\n", &[400, 505]),
        ("GET /\r\n\r\n", &[400, 505]),
        ("\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03\r\n\r\n", &[400]),
    ]);
}

#[test]
fn no_way_to_anywhere_else() {
    all_refused(&[
        ("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", &[400, 405, 501]),
        ("GET @other.example/ HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
        ("GET * HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", &[400, 404]),
        ("GET ftp://test/ HTTP/1.1\r\nHost: test\r\n\r\n", &[400]),
    ]);
}

#[test]
fn a_transfer_encoding_in_http_1_0_is_refused_or_ends_the_connection() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let smuggled = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n";
    let head =
        "POST / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = gateway.begin(&format!("{head}0\r\n\r\n{smuggled}"));

    client.rest();
    assert!(a.requests().iter().all(|r| r.target() != "/hidden"), "{:#?}", a.requests());
}

#[test]
fn length_and_chunks_together_are_refused_or_read_as_chunks_only() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let smuggled = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n";
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 100",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: test\r\n{lines}\r\n\r\n");
        let mut client = gateway.begin(&format!("{head}0\r\n\r\n{smuggled}"));
        client.rest();
    }

    for request in a.requests() {
        assert_eq!((request.target(), request.body.len()), ("/", 0), "{request:?}");
        assert!(request.has("content-length") != request.has("transfer-encoding"), "{request:?}");
    }
}

#[test]
fn bare_line_ends_are_refused_or_made_whole() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    for request in [
        "GET /lf HTTP/1.1\nHost: test\nConnection: close\n\n",
        "GET /cr HTTP/1.1\r\nHost: test\r\nX-Odd: a\rX-Injected: yes\r\nConnection: close\r\n\r\n",
        "GET /fold HTTP/1.1\r\nHost: test\r\nX-Odd: a\r\n X-Injected: yes\r\nConnection: close\r\n\r\n",
    ] {
        gateway.begin(request).rest();
    }

    for request in a.requests() {
        assert!(!request.has("x-injected"), "{request:?}");
        let text: String = request.raw.iter().map(|b| char::from(*b)).collect();
        let bare = text.replace("\r\n", "").contains(['\r', '\n']);
        assert!(!bare && !text.contains("\r\n "), "{text:?}");
    }
}

#[test]
fn equal_lengths_may_collapse_but_not_multiply() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    for lines in ["Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5"] {
        let mut client: Wire = gateway.begin(&with(lines));
        client.finish();
        client.rest();
    }

    for request in a.requests() {
        assert_eq!((request.all("content-length"), request.text().as_str()), (vec!["5"], "hello"));
    }
}

#[test]
fn a_fragment_is_refused_or_left_out() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    let status = gateway.ask("GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n").status();
    assert!(status == 400 || a.only_request().target() == "/a", "{status}, {:?}", a.requests());
}

#[test]
fn another_host_in_the_target_opens_no_way_to_it() {
    let (other, [a]) = (crate::harness::script(), backends(["a"]));
    let gateway = gateway().upstream("api", [&a]).start();

    let answer = gateway.ask(&format!("GET http://{other}/ HTTP/1.1\r\nHost: test\r\n\r\n"));
    assert_eq!((answer.backend().as_str(), a.only_request().target()), ("a", "/"));
    assert!(other.try_accept().is_none());
}
