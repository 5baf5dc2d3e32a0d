//! `[rate_limit.<name>]`: how many requests in a time.

use std::time::{Duration, Instant};

use crate::harness::{Gateway, Plan, backends, gateway};

/// A gateway that answers 204 to everything, with this limit on everything.
fn limited(lines: &str) -> Plan {
    gateway()
        .section("[limits]\nrate_limits = [\"a\"]")
        .section(&format!("[rate_limit.a]\n{lines}"))
        .route("return = 204")
}

fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    (0..count).map(|_| gateway.get("/").status()).collect()
}

#[test]
fn one_too_many_gets_429_and_when_to_come_again() {
    let gateway = limited("rate = \"1/h\"").start();

    assert_eq!(gateway.get("/").status(), 204);
    let refused = gateway.get("/");
    assert_eq!((refused.status(), refused.field("retry-after")), (429, "3600".into()));
    assert!(refused.text().contains("too many requests (rate_limit.a)"), "{refused:?}");
    gateway.says("127.0.0.1, every host /: 429: too many requests (rate_limit.a)");
}

#[test]
fn a_burst_without_delay_passes_at_once() {
    let gateway = limited("rate = \"1/h\"\nburst = 2\nnodelay = true").start();

    assert_eq!(statuses(&gateway, 4), [204, 204, 204, 429]);
}

#[test]
fn a_burst_with_delay_is_served_at_the_rate() {
    let gateway = limited("rate = \"10/s\"\nburst = 2").start();
    let begun = Instant::now();

    assert_eq!(statuses(&gateway, 1), [204]);
    let mut waiting: Vec<_> = (0..2).map(|_| gateway.begin_get("/")).collect();
    assert!(waiting.iter_mut().all(|client| client.answer().status() == 204));
    assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
    assert_eq!(gateway.state()["limits"][0]["delayed"], 2);
}

#[test]
fn keys_have_their_own_buckets_and_no_key_has_none() {
    let gateway = limited("rate = \"1/h\"\nkey = \"$http_x_user\"").start();
    let ask = |fields: &str| gateway.ask(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).status();

    assert_eq!((ask("X-User: 1\r\n"), ask("X-User: 2\r\n"), ask("X-User: 1\r\n")), (204, 204, 429));
    assert_eq!((ask(""), ask("")), (204, 204));
}

#[test]
fn all_workers_count_together() {
    let gateway = limited("rate = \"1/h\"\nburst = 9\nnodelay = true").top("workers = 4").start();

    let passed = statuses(&gateway, 40).iter().filter(|status| **status == 204).count();
    assert_eq!(passed, 10);
}

#[test]
fn a_route_names_its_own_and_a_page_can_stand_for_the_refusal() {
    let gateway = gateway()
        .top("error_pages = { 503 = { text = '{\"error\": \"slow down\"}' } }")
        .section("[limits]\nrate_limits = [\"a\"]")
        .section("[rate_limit.a]\nrate = \"1/h\"\nstatus = 503")
        .section("[rate_limit.b]\nrate = \"1/h\"\nburst = 1\nnodelay = true")
        .route("path = \"/free\"\nreturn = 204\nrate_limits = []")
        .route("path = \"/both\"\nreturn = 204\nrate_limits = [\"b\", \"a\"]")
        .route("path = \"/\"\nreturn = 204")
        .start();

    assert_eq!(gateway.get("/both").status(), 204);
    let refused = gateway.get("/both");
    assert_eq!((refused.status(), refused.text()), (503, r#"{"error": "slow down"}"#.into()));
    assert!(refused.has("retry-after"), "{refused:?}");
    assert_eq!((gateway.get("/").status(), gateway.get("/free").status()), (503, 204));
}

#[test]
fn what_one_limit_refuses_the_others_do_not_count() {
    let gateway = gateway()
        .section("[rate_limit.a]\nrate = \"1/h\"\nkey = \"$arg_a\"")
        .section("[rate_limit.b]\nrate = \"1/h\"\nburst = 1\nnodelay = true")
        .route("return = 204\nrate_limits = [\"b\", \"a\"]")
        .start();

    let statuses: Vec<_> =
        ["/?a=1", "/?a=1", "/?a=1", "/?a=2", "/?a=3"].map(|path| gateway.get(path).status()).into();
    assert_eq!(statuses, [204, 429, 429, 204, 429], "the second and third left b's burst to the fourth");
}

#[test]
fn a_dry_run_lets_all_in_and_counts() {
    let gateway = limited("rate = \"1/h\"\ndry_run = true").start();

    assert_eq!(statuses(&gateway, 3), [204; 3]);
    assert_eq!(gateway.state()["limits"][0]["refused"], 2);
    gateway.says("429: too many requests (rate_limit.a) (dry run: it was let in)");
    let metrics = gateway.control("GET", "/metrics").text();
    assert!(metrics.contains("pointsman_limit_refused_total{limit=\"rate_limit.a\"} 2"), "{metrics}");
}

#[test]
fn a_reload_forgets_nothing() {
    let gateway = limited("rate = \"1/h\"").start();
    assert_eq!(gateway.get("/").status(), 204);
    gateway.rewrite(|text| text.replace("return = 204", "return = 202"));
    gateway.reload();

    assert_eq!(gateway.get("/").status(), 429);
}

#[test]
fn a_connection_goes_on_after_a_refusal() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .section("[rate_limit.a]\nrate = \"1/h\"")
        .route("path = \"/x\"\nupstream = \"api\"\nrate_limits = \"a\"")
        .route("path = \"/\"\nupstream = \"api\"")
        .upstream("api", [&a])
        .start();
    let mut client = gateway.client();
    let statuses = ["/x", "/x", "/"].map(|path| {
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"));
        client.answer().status()
    });

    assert_eq!(statuses, [200, 429, 200]);
    assert_eq!(a.hits(), 2);
}
