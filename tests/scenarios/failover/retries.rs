//! After what a request moves on, how often, and with which bodies.

use crate::harness::{Backend, Gateway, backend, backends, gateway, refusing, script};

const FIRST: &str = "{ use = \"round_robin\", start = \"first\" }";
const POST: &str = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";

/// A backend that answers with this status.
fn saying(status: u16) -> Backend {
    backend("bad", move |_| {
        format!("HTTP/1.1 {status} No\r\nX-Backend: bad\r\nContent-Length: 2\r\n\r\nno").into()
    })
}

/// A gateway that asks the first one first, with these lines.
fn before_a_good_one(bad: &impl ToString, lines: &str) -> (Backend, Gateway) {
    let [good] = backends(["good"]);
    let plan = gateway().upstream("api", [bad.to_string(), good.to_string()]).policy(FIRST);
    let gateway = plan.with(lines).start();
    (good, gateway)
}

#[test]
fn a_status_that_is_listed_moves_a_get_on() {
    let bad = saying(503);
    let (_good, gateway) = before_a_good_one(&bad, "retry_on = [\"error\", \"http_503\"]");
    assert_eq!((gateway.get("/").backend().as_str(), bad.hits()), ("good", 1));
    assert_eq!(gateway.backend("api", &bad, "server_error"), 1);
    assert_eq!(gateway.upstream("api")["retries"], 1);
}

#[test]
fn a_status_that_is_not_listed_is_the_answer() {
    let bad = saying(500);
    let (good, gateway) = before_a_good_one(&bad, "retry_on = [\"error\", \"http_503\"]");
    assert_eq!((gateway.get("/").status(), good.hits()), (500, 0));
}

#[test]
fn the_last_answer_is_passed_on_whatever_its_status() {
    let [bad, worse] = [503, 502].map(saying);
    let plan = gateway().upstream("api", [&bad, &worse]).policy(FIRST);
    let gateway = plan.with("retry_on = [\"http_502\", \"http_503\"]").start();

    let answer = gateway.get("/");
    assert_eq!((answer.status(), answer.text().as_str()), (502, "no"));
    assert_eq!((bad.hits(), worse.hits()), (1, 1));
}

#[test]
fn a_status_does_not_move_a_post_on() {
    let bad = saying(503);
    let (good, gateway) = before_a_good_one(&bad, "retry_on = \"http_503\"");
    assert_eq!((gateway.ask(POST).status(), good.hits()), (503, 0));
}

#[test]
fn unless_it_is_said_that_it_does_not_matter() {
    let bad = saying(503);
    let (good, gateway) = before_a_good_one(&bad, "retry_on = [\"http_503\", \"non_idempotent\"]");
    assert_eq!(gateway.ask(POST).backend(), "good");
    assert_eq!((bad.only_request().text(), good.only_request().text()), ("hello".into(), "hello".into()));
}

#[test]
fn off_is_off_even_when_nobody_has_seen_the_request() {
    let nobody = refusing();
    let (good, gateway) = before_a_good_one(&nobody, "retry_on = \"off\"");
    assert_eq!((gateway.get("/").status(), good.hits()), (502, 0));
}

#[test]
fn a_body_that_was_sent_is_sent_again_whole() {
    let bad = script();
    let (good, gateway) = before_a_good_one(&bad, "");
    let mut client = gateway.begin(PUT);
    assert_eq!(bad.accept().request().text(), "hello");

    assert_eq!(client.answer().backend(), "good");
    assert_eq!(good.only_request().text(), "hello");
}

#[test]
fn a_body_in_chunks_is_sent_again_with_its_trailers() {
    let bad = script();
    let (good, gateway) = before_a_good_one(&bad, "");
    let mut client = gateway.begin(
        "PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n",
    );
    bad.accept().request();

    assert_eq!(client.answer().backend(), "good");
    let request = good.only_request();
    assert_eq!((request.text().as_str(), request.trailers.len()), ("hello", 1));
}

#[test]
fn what_comes_after_the_failure_follows_what_was_kept() {
    let bad = script();
    let (good, gateway) = before_a_good_one(&bad, "");
    let mut client = gateway.begin("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello");
    let mut connection = bad.accept();
    connection.head();
    assert_eq!(connection.bytes(5), b"hello");
    drop(connection);
    client.send("world");

    assert_eq!(client.answer().backend(), "good");
    assert_eq!(good.only_request().text(), "helloworld");
}

#[test]
fn a_body_that_is_too_large_to_be_kept_is_not_sent_again() {
    let bad = script();
    let (good, gateway) = before_a_good_one(&bad, "retry_body = \"4\"");
    let mut client = gateway.begin(PUT);
    bad.accept().request();

    assert_eq!((client.answer().status(), good.hits()), (502, 0));
}

#[test]
fn no_attempt_begins_after_retry_timeout() {
    let slow = script();
    let lines = "read_timeout = \"200ms\"\nretry_timeout = \"50ms\"";
    let (good, gateway) = before_a_good_one(&slow, lines);
    let mut client = gateway.begin_get("/");
    let mut connection = slow.accept();
    connection.request();

    assert_eq!((client.answer().status(), good.hits()), (504, 0));
}

#[test]
fn the_budget_bounds_retries_of_what_was_seen() {
    let bad = backend("bad", |_| Vec::new());
    let lines = "retry_budget = 0\nejection = { errors = 0 }";
    let (_good, gateway) = before_a_good_one(&bad, lines);
    let mut client = gateway.client();
    let mut statuses = Vec::new();
    for _ in 0..600 {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        statuses.push(client.answer().status());
    }
    assert!(statuses.contains(&502), "a hundred are saved up, ten a second come in: not three hundred");
    assert!(gateway.upstream("api")["retries_denied"].as_u64() > Some(0));
    assert_eq!(statuses[..100], [200; 100]);
}

#[test]
fn moving_on_from_who_refuses_is_free() {
    let nobody = refusing();
    let lines = "retry_budget = 0\nejection = { errors = 0 }";
    let (_good, gateway) = before_a_good_one(&nobody, lines);
    assert_eq!(gateway.picks(600), vec!["good"; 600]);
}
