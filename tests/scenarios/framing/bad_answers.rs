//! A backend's nonsense is a 502 for the client, and costs the backend its connection.

use crate::harness::{Gateway, Script, Wire, gateway, script};

#[track_caller]
fn is_a_502(gateway: &Gateway, backend: &Script, answer: &str) {
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send(answer);
    connection.finish();
    let got = client.answer();
    assert_eq!(got.status(), 502, "for {answer:?}: {got:?}");
    connection.rest();
    next_is_served(&mut client, backend);
}

/// The client's connection is still good, the backend's is a new one.
#[track_caller]
fn next_is_served(client: &mut Wire, backend: &Script) {
    client.send("GET /next HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut connection = backend.accept();
    assert_eq!(connection.request().target(), "/next");
    connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(client.answer().text(), "ok");
}

#[track_caller]
fn all_are_502(answers: &[&str]) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for answer in answers {
        is_a_502(&gateway, &backend, answer);
    }
}

#[test]
fn lengths() {
    all_are_502(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
    ]);
}

#[test]
fn transfer_encodings() {
    all_are_502(&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ]);
}

#[test]
fn heads() {
    all_are_502(&[
        "hello\r\n\r\n",
        "<html>HTTP/0.9 has no head</html>",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/3.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Odd : space\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX Odd: space\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Odd: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ]);
}

#[test]
fn a_head_without_end() {
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X-More: and more\r\n".repeat(100_000));
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();

    // The gateway stops reading at some point; that is what is wanted.
    let _ = connection.try_send(endless);
    assert_eq!(client.answer().status(), 502);
}

#[test]
fn what_might_inject_a_field_is_refused_or_made_harmless() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    for odd in ["a\rX-Injected: yes", "a\r\n X-Injected: yes"] {
        let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let mut connection = backend.accept();
        connection.request();
        connection.send(format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Odd: {odd}\r\nContent-Length: 0\r\n\r\n"
        ));

        let answer = client.answer();
        assert!(!answer.has("x-injected"), "{answer:?}");
        let odd_bytes = answer.field("x-odd").contains(['\r', '\n']);
        assert!(answer.status() == 502 || !odd_bytes, "{answer:?}");
    }
}

#[test]
fn equal_lengths_are_one_length() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello");

    let answer = client.answer();
    let collapsed = answer.status() == 200 && answer.all("content-length") == ["5"];
    assert!(collapsed || answer.status() == 502, "{answer:?}");
}
