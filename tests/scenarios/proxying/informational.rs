//! Answers before the answer (RFC 9110 section 15.2).

use crate::harness::{End, H2, gateway, script};

#[test]
fn early_hints_are_relayed_in_order() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    for style in ["a.css", "b.css"] {
        connection.send(format!("HTTP/1.1 103 Early Hints\r\nLink: <{style}>\r\n\r\n"));
        let hint = client.answer();
        assert_eq!((hint.status(), hint.field("link")), (103, format!("<{style}>")));
    }
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().text(), "hi");
}

#[test]
fn a_client_of_http_2_gets_them_too() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = H2::on(gateway.client());
    client.get(1, "/", &[]);

    let mut connection = backend.accept();
    connection.request();
    for style in ["a.css", "b.css"] {
        connection.send(format!("HTTP/1.1 103 Early Hints\r\nLink: <{style}>\r\n\r\n"));
    }
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!((client.end_of(1), client.heads()), (End::Answered(200), 3));
}

#[test]
fn what_ends_at_the_gateway_or_frames_a_body_is_no_hint() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    connection.send(
        "HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Content-Length: 5\r\nLink: <a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    let hint = client.answer();
    assert_eq!(hint.fields, [("link".to_owned(), "<a.css>".to_owned())]);
    assert_eq!(client.answer().text(), "hi");
}

#[test]
fn an_http_1_0_client_gets_the_last_answer_only() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.0\r\nHost: test\r\n\r\n");

    let mut connection = backend.accept();
    connection.request();
    connection.send(
        "HTTP/1.1 103 Early Hints\r\nLink: <a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn a_flood_of_hints_is_an_error_of_the_backend() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    // It may stop reading at any time: only the client's end is asserted.
    let _ = connection.try_send("HTTP/1.1 103 Early Hints\r\nLink: <a.css>\r\n\r\n".repeat(20_000));
    let mut answers = std::iter::from_fn(|| Some(client.answer().status()));
    assert_eq!(answers.find(|status| *status != 103), Some(502));
}

#[test]
fn a_continue_that_nobody_asked_for_is_dropped() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn switching_protocols_that_nobody_asked_for_is_a_502() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/");

    let mut connection = backend.accept();
    connection.request();
    connection
        .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\nConnection: upgrade\r\n\r\nodd bytes");
    assert_eq!(client.answer().status(), 502);
    assert!(connection.closes());
}
