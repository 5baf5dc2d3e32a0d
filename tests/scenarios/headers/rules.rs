//! Rules that add, keep or remove fields, in tables.

use crate::harness::{Message, backend, backends, gateway};

fn at_the_backend(rules: &str, fields: &str) -> Message {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with(&format!("request_headers = {{ {rules} }}")).start();
    gateway.ask(&format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
    a.only_request()
}

fn at_the_client(rules: &str, head: &'static str) -> Message {
    let a = backend("a", move |_| format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").into_bytes());
    let route = format!("upstream = \"api\"\nresponse_headers = {{ {rules} }}");
    let gateway = gateway().route(&route).upstream("api", [&a]).start();
    gateway.get("/")
}

#[test]
fn add_keeps_what_came() {
    let request = at_the_backend("X-A = { add = \"2\" }", "X-A: 1\r\n");
    assert_eq!(request.all("x-a"), ["1", "2"]);
    let answer = at_the_client("Set-Cookie = { add = \"b=2\" }", "200 OK\r\nSet-Cookie: a=1");
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
}

#[test]
fn default_gives_way_to_what_came() {
    assert_eq!(at_the_backend("X-A = { default = \"2\" }", "X-A: 1\r\n").all("x-a"), ["1"]);
    assert_eq!(at_the_backend("X-A = { default = \"2\" }", "").all("x-a"), ["2"]);
    let rules = "Cache-Control = { default = \"no-store\" }";
    assert_eq!(at_the_client(rules, "200 OK\r\nCache-Control: public").all("cache-control"), ["public"]);
    assert_eq!(at_the_client(rules, "200 OK").all("cache-control"), ["no-store"]);
}

#[test]
fn remove_takes_every_field_of_a_name() {
    let request = at_the_backend("X-A = { remove = true }", "X-A: 1\r\nX-A: 2\r\n");
    assert!(!request.has("x-a"), "{request:?}");
    let answer = at_the_client("X-A = { remove = true }", "200 OK\r\nX-A: 1\r\nX-A: 2");
    assert!(!answer.has("x-a"), "{answer:?}");
}

#[test]
fn a_value_of_nothing_sets_nothing() {
    let request =
        at_the_backend("X-A = { set = \"$arg_none\" }, X-B = { add = \"$arg_none\" }", "X-A: 1\r\n");
    assert!(!request.has("x-a") && !request.has("x-b"), "{request:?}");
}

#[test]
fn without_always_a_rule_is_for_good_answers_only() {
    let rules = "X-A = { set = \"1\", always = false }, X-B = { set = \"1\" }";
    let good = at_the_client(rules, "201 Created");
    assert!(good.has("x-a") && good.has("x-b"), "{good:?}");
    let bad = at_the_client(rules, "500 Oh");
    assert!(!bad.has("x-a") && bad.has("x-b"), "{bad:?}");
}
