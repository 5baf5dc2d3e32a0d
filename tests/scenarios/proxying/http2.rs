//! HTTP/2 in clear text, with prior knowledge. The clients are curl and nghttp.

use crate::harness::{
    Gateway, Message, backend, backends, eventually, gateway, installed, run, script, with_body,
};

fn curl(gateway: &Gateway, path: &str, arguments: &[&str]) -> String {
    let url = format!("http://{}{path}", gateway.address());
    let finished =
        run("curl", &[&["-sS", "--http2-prior-knowledge", "--max-time", "20", &url], arguments].concat(), "");
    assert_eq!(finished.code, 0, "{finished:?}");
    finished.stdout
}

#[test]
fn a_request_arrives_as_http_1_1() {
    if !installed("curl") {
        return;
    }
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    assert_eq!(curl(&gateway, "/x?y=z", &["-w", " over HTTP/%{http_version}"]), "a over HTTP/2");
    let request = a.only_request();
    assert_eq!(
        (request.start.as_str(), request.field("host")),
        ("GET /x?y=z HTTP/1.1", gateway.address().to_owned())
    );
}

#[test]
fn bodies_pass_both_ways() {
    if !installed("curl") {
        return;
    }
    let echo = backend("echo", |request: &Message| with_body("echo", &request.text().to_uppercase()));
    let gateway = gateway().upstream("api", [&echo]).start();

    let body = "hello ".repeat(20_000);
    let answer = curl(&gateway, "/", &["--data-binary", &body]);
    assert!(answer == body.to_uppercase(), "{} bytes: {:.80}", answer.len(), answer);
}

#[test]
fn many_streams_share_one_connection() {
    if !installed("nghttp") {
        return;
    }
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    let url = format!("http://{}/", gateway.address());
    let finished = run("nghttp", &["-n", "-s", "-m", "50", &url], "");
    assert_eq!((finished.code, a.hits()), (0, 50), "{finished:?}");
    assert_eq!(finished.stdout.matches(" 200 ").count(), 50, "{}", finished.stdout);
}

#[test]
fn cookie_crumbs_become_one_line() {
    if !installed("nghttp") {
        return;
    }
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    run(
        "nghttp",
        &["-n", "-H", "cookie: a=1", "-H", "cookie: b=2", &format!("http://{}/", gateway.address())],
        "",
    );
    assert_eq!(a.only_request().all("cookie"), ["a=1; b=2"], "RFC 9113 section 8.2.3");
}

#[test]
fn fields_of_the_backends_connection_end_at_the_gateway() {
    if !installed("curl") {
        return;
    }
    let a = backend("a", |_| {
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n\
          Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\nX-Stays: 1\r\n\r\n\
          2\r\nhi\r\n0\r\n\r\n"
            .to_vec()
    });
    let gateway = gateway().upstream("api", [&a]).start();

    let answer = curl(&gateway, "/", &["-D", "-"]).to_lowercase();
    assert!(answer.contains("x-stays: 1") && answer.ends_with("\r\n\r\nhi"), "{answer}");
    for gone in ["connection", "x-named", "keep-alive", "upgrade", "transfer-encoding"] {
        assert!(!answer.contains(gone), "{gone} in {answer}");
    }
}

#[test]
fn a_cut_answer_is_a_reset_stream() {
    if !installed("curl") {
        return;
    }
    let cut = backend("cut", |_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\nhalf".to_vec()
    });
    let gateway = gateway().upstream("api", [&cut]).start();

    let url = format!("http://{}/", gateway.address());
    let finished = run("curl", &["-sS", "--http2-prior-knowledge", "--max-time", "20", &url], "");
    assert_eq!(finished.code, 92, "stream not closed cleanly: {finished:?}");
}

#[test]
fn a_client_that_leaves_ends_its_streams_at_the_backend() {
    if !installed("curl") {
        return;
    }
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let url = format!("http://{}/", gateway.address());
    let client = std::thread::spawn(move || {
        run("curl", &["-sS", "--http2-prior-knowledge", "--max-time", "1", &url], "")
    });

    let mut connection = backend.accept();
    connection.request();
    assert!(connection.closes());
    assert_eq!(client.join().expect("curl was run").code, 28, "it gave up");
    eventually("nothing is in flight", || gateway.backend("api", &backend, "in_flight") == 0);
}
