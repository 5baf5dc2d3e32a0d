//! Routes that the gateway answers by itself (`return`).

use crate::harness::{backends, gateway};

#[test]
fn a_redirect_keeps_host_path_and_query() {
    let gateway = gateway().route("return = { status = 301, to = \"https://$host$request_uri\" }").start();

    let answer = gateway.ask("GET /a%20b?c=d HTTP/1.1\r\nHost: Shop.example:8080\r\n\r\n");
    assert_eq!((answer.status(), answer.field("location")), (301, "https://shop.example/a%20b?c=d".into()));
    assert_eq!(answer.text(), "301 Moved Permanently\n");
}

#[test]
fn an_address_alone_is_a_302() {
    let gateway =
        gateway().route("path = \"= /\"\nreturn = \"/start\"").route("path = \"/\"\nreturn = 404").start();

    let answer = gateway.get("/");
    assert_eq!((answer.status(), answer.field("location")), (302, "/start".into()));
    assert_eq!(gateway.get("/else").status(), 404);
}

#[test]
fn groups_of_an_expression_say_where_to() {
    let gateway = gateway()
        .route("path = '~ ^/users/(\\d+)/(?<what>.*)$'\nreturn = 'https://$what.example/$1'")
        .start();

    assert_eq!(gateway.get("/users/7/mail").field("location"), "https://mail.example/7");
}

#[test]
fn nothing_decoded_can_break_the_answers_head() {
    let gateway = gateway().route("path = '~ (?s)^/x/(.*)$'\nreturn = '/y/$1?u=$uri'").start();

    let answer = gateway.get("/x/a%0d%0aX-Injected:%20yes%3Fq%23f");
    assert_eq!(
        answer.field("location"),
        "/y/a%0D%0AX-Injected:%20yes%3Fq%23f?u=/x/a%0D%0AX-Injected:%20yes?q#f"
    );
    assert!(!answer.has("x-injected"), "{answer:?}");
}

#[test]
fn a_text_has_the_type_that_it_looks_like_and_escapes_what_clients_say() {
    let gateway = gateway()
        .route("path = \"/json\"\nreturn = { text = '{\"agent\": \"$http_user_agent\"}' }")
        .route("path = \"/html\"\nreturn = { text = '<p>$http_user_agent</p>' }")
        .route("path = \"/own\"\nreturn = { status = 202, text = 'a', type = 'application/x-a' }")
        .start();
    let ask =
        |path: &str| gateway.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: <\"x\">\r\n\r\n"));

    let json = ask("/json");
    assert_eq!(
        (json.field("content-type"), json.text()),
        ("application/json".into(), r#"{"agent": "<\"x\">"}"#.into())
    );
    let html = ask("/html");
    assert_eq!(html.field("content-type"), "text/html; charset=utf-8");
    assert_eq!(html.text(), "<p>&lt;&#34;x&#34;&gt;</p>");
    let own = ask("/own");
    assert_eq!((own.status(), own.field("content-type")), (202, "application/x-a".into()));
}

#[test]
fn a_file_is_served_from_memory() {
    let gateway = gateway()
        .file("50x.html", "<h1>sorry</h1>")
        .route("path = \"= /50x.html\"\nreturn = { file = \"50x.html\" }")
        .start();
    std::fs::remove_file(gateway.file("50x.html")).expect("the file is there");

    let answer = gateway.get("/50x.html");
    assert_eq!((answer.status(), answer.text()), (200, "<h1>sorry</h1>".into()));
    assert_eq!(answer.field("content-type"), "text/html; charset=utf-8");
}

#[test]
fn the_connection_goes_on_and_a_body_is_no_request() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .route("path = \"/no\"\nreturn = 403")
        .route("path = \"/\"\nupstream = \"api\"")
        .upstream("api", [&a])
        .start();
    let mut client = gateway.client();

    client.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
    assert_eq!(client.answer().status(), 403);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().backend(), "a");
}

#[test]
fn response_headers_and_the_access_log_know_it_too() {
    let gateway = gateway()
        .section("[log]\naccess = \"access.log\"\nformat = \"$status $route [$upstream_name] $upstream_addr $body_bytes_sent\"")
        .route("return = 204\nresponse_headers = { X-Here = \"$status\" }")
        .start();

    let answer = gateway.get("/");
    assert_eq!(
        (answer.status(), answer.field("x-here"), answer.has("content-type")),
        (204, "204".into(), false)
    );
    assert_eq!(gateway.lines("access.log", 1), ["204 every host / [-] - 0"]);
}
