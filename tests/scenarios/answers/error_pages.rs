//! What clients see in place of errors.

use crate::harness::{backend, gateway, refusing};

const ANSWERS: &str = "error_pages = { 404 = \"404.html\", \"502-504\" = { text = '{\"status\": $status, \"id\": \"$request_id\"}' } }";

#[test]
fn a_file_stands_for_a_status_and_json_for_others() {
    let nobody = refusing();
    let gateway = gateway()
        .top(ANSWERS)
        .file("404.html", "<h1>not here</h1>")
        .route("path = \"/api\"\nupstream = \"api\"")
        .upstream("api", [&nobody])
        .start();

    let lost = gateway.get("/");
    assert_eq!((lost.status(), lost.text()), (404, "<h1>not here</h1>".into()));
    assert_eq!(lost.field("content-type"), "text/html; charset=utf-8");
    let broken = gateway.get("/api");
    assert_eq!((broken.status(), broken.field("content-type")), (502, "application/json".into()));
    assert!(broken.text().starts_with(r#"{"status": 502, "id": ""#), "{broken:?}");
}

#[test]
fn a_backends_own_errors_pass_unless_they_are_to_be_intercepted() {
    let a = backend("a", |request| {
        let status = request.target().rsplit('/').next().unwrap_or_default();
        format!("HTTP/1.1 {status} Whatever\r\nX-Backend: a\r\nContent-Length: 4\r\n\r\nmine").into_bytes()
    });
    let gateway = gateway()
        .top(ANSWERS)
        .file("404.html", "<h1>not here</h1>")
        .route("path = \"/pass/\"\nupstream = \"api\"")
        .route("path = \"/hide/\"\nupstream = \"api\"\nintercept_errors = true")
        .upstream("api", [&a])
        .start();

    assert_eq!(gateway.get("/pass/404").text(), "mine");
    let hidden = gateway.get("/hide/404");
    assert_eq!((hidden.status(), hidden.text()), (404, "<h1>not here</h1>".into()));
    assert_eq!(gateway.get("/hide/403").text(), "mine", "there is no page for it");
    assert_eq!(gateway.get("/hide/200").text(), "mine");
}

#[test]
fn an_error_page_may_have_another_status_or_lead_elsewhere() {
    let gateway = gateway()
        .route("path = \"/gone\"\nreturn = { status = 410 }")
        .route(
            "path = \"/api\"\nupstream = \"api\"\nerror_pages = { 502 = { status = 200, text = \"later\" }, 413 = { to = \"/too-large\" } }\nmax_body = 3",
        )
        .upstream("api", [refusing()])
        .start();

    let later = gateway.get("/api");
    assert_eq!((later.status(), later.text()), (200, "later".into()));
    let elsewhere = gateway.ask("POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
    assert_eq!((elsewhere.status(), elsewhere.field("location")), (302, "/too-large".into()));
    assert_eq!(elsewhere.field("connection"), "close", "the body was not read");
    assert_eq!(gateway.get("/gone").status(), 410);
}

#[test]
fn what_cannot_be_understood_gets_the_page_of_the_top() {
    let gateway = gateway().top("error_pages = { 400 = { text = \"what?\" } }").route("return = 204").start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");

    let answer = client.answer();
    assert_eq!((answer.status(), answer.text()), (400, "what?".into()));
    assert!(client.closes());
}

#[test]
fn a_request_has_one_id_for_the_backend_the_page_and_the_log() {
    let a = backend("a", |_| b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec());
    let gateway = gateway()
        .top("error_pages = { 500 = { text = '$request_id' } }")
        .section("[log]\naccess = \"access.log\"\nformat = \"$request_id\"")
        .route(
            "upstream = 'api'\nintercept_errors = true\nrequest_headers = { X-Request-ID = '$request_id' }",
        )
        .upstream("api", [&a])
        .start();
    let (shown, other) = (gateway.get("/").text(), gateway.get("/").text());

    assert_eq!(a.requests()[0].field("x-request-id"), shown);
    assert_eq!(gateway.lines("access.log", 2), [shown.clone(), other.clone()]);
    assert!(shown.len() == 32 && shown != other, "{shown} {other}");
}

#[test]
fn a_limit_that_a_client_meets_is_named_in_the_log() {
    let gateway = gateway().route("return = 204\nmax_body = \"1k\"").start();

    gateway.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n");
    gateway.says("127.0.0.1, every host /: 413: the request's body is larger than the 1024 bytes that this route allows (max_body)");
}
