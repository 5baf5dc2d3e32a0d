//! `request_headers` and `response_headers` of a route.

use crate::harness::{backends, gateway, refusing};

const ROUTE: &str = "path = \"/\"\nupstream = \"api\"";

#[test]
fn request_headers_are_set_with_variables() {
    let [a] = backends(["a"]);
    let route = format!(
        "{ROUTE}\nrequest_headers = {{ \"X-Client\" = \"$remote_addr\", \"X-What\" = \"$request_method $request_uri\" }}"
    );
    let gateway = gateway().route(&route).upstream("api", [&a]).start();
    gateway.ask("GET /x?y HTTP/1.1\r\nHost: test\r\nX-Client: someone else\r\n\r\n");

    let request = a.only_request();
    assert_eq!((request.all("x-client"), request.field("x-what")), (vec!["127.0.0.1"], "GET /x?y".into()));
}

#[test]
fn an_empty_value_takes_a_field_away() {
    let [a] = backends(["a"]);
    let route = format!(
        "{ROUTE}\nrequest_headers = {{ \"Connection\" = \"\", \"Accept-Encoding\" = \"\", \"X-Real-IP\" = \"\" }}"
    );
    let gateway = gateway().route(&route).upstream("api", [&a]).start();
    gateway.ask("GET / HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n");

    let request = a.only_request();
    assert!(
        !request.has("accept-encoding") && !request.has("x-real-ip") && !request.has("connection"),
        "{request:?}"
    );
}

#[test]
fn the_host_can_be_set() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .route(&format!("{ROUTE}\nrequest_headers = {{ \"Host\" = \"inner.example\" }}"))
        .upstream("api", [&a])
        .start();
    gateway.get("/");

    assert_eq!(a.only_request().all("host"), ["inner.example"]);
}

#[test]
fn response_headers_tell_who_answered() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .route(&format!("{ROUTE}\nresponse_headers = {{ \"X-Upstream\" = \"$upstream_addr\" }}"))
        .upstream("api", [&a])
        .start();

    assert_eq!(gateway.get("/").field("x-upstream"), a.to_string());
}

#[test]
fn response_headers_replace_and_take_away() {
    let [a] = backends(["a"]);
    let route =
        format!("{ROUTE}\nresponse_headers = {{ \"X-Backend\" = \"hidden\", \"Content-Type\" = \"\" }}");
    let gateway = gateway().route(&route).upstream("api", [&a]).start();

    let answer = gateway.get("/");
    assert_eq!((answer.all("x-backend"), answer.has("content-type")), (vec!["hidden"], false));
}

#[test]
fn response_headers_are_set_on_every_status() {
    let nobody = refusing();
    let gateway = gateway()
        .route(&format!("{ROUTE}\nresponse_headers = {{ \"X-Upstream\" = \"$upstream_addr\" }}"))
        .upstream("api", [&nobody])
        .start();

    let answer = gateway.get("/");
    assert_eq!((answer.status(), answer.field("x-upstream")), (502, nobody.to_string()));
}

#[test]
fn all_that_were_tried_are_listed() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let gateway = gateway()
        .route(&format!("{ROUTE}\nresponse_headers = {{ \"X-Upstream\" = \"$upstream_addr\" }}"))
        .upstream("api", [nobody.to_string(), a.to_string()])
        .policy("{ use = \"round_robin\", start = \"first\" }")
        .start();

    assert_eq!(gateway.get("/").field("x-upstream"), format!("{nobody}, {a}"));
}
