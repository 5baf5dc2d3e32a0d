//! The default, round_robin, random and weights.

use crate::harness::{backends, counts, eventually, gateway};

#[test]
fn adaptive_is_the_default_and_leaves_nobody_out() {
    let all = backends(["a", "b", "c"]);
    let gateway = gateway().upstream("api", &all).start();
    gateway.rewrite(|text| text.replace("policy = \"round_robin\"\n", ""));
    gateway.reload();

    assert_eq!(gateway.policy("api")["name"], "adaptive");
    eventually("each has its part", || {
        gateway.get("/");
        all.iter().all(|backend| backend.hits() > 20)
    });
}

#[test]
fn where_clients_are_sent_away_the_default_is_round_robin() {
    let gateway = gateway().upstream("api", ["127.0.0.1:1"]).with("mode = \"redirect\"").start();
    gateway.rewrite(|text| text.replace("policy = \"round_robin\"\n", ""));
    gateway.reload();

    assert_eq!(gateway.policy("api")["name"], "round_robin");
}

#[test]
fn round_robin_is_even() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let gateway = gateway().upstream("api", [&a, &b, &c]).start();

    gateway.picks(30);
    assert_eq!((a.hits(), b.hits(), c.hits()), (10, 10, 10));
}

#[test]
fn round_robin_is_smooth_with_weights() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let gateway = gateway()
        .upstream("api", [a.entry("weight = 5"), b.to_string(), c.to_string()])
        .policy("{ use = \"round_robin\", start = \"first\" }")
        .start();

    assert_eq!(gateway.picks(7), ["a", "a", "b", "a", "c", "a", "a"], "as nginx documents for 5, 1, 1");
    assert_eq!(gateway.picks(7), ["a", "a", "b", "a", "c", "a", "a"]);
}

#[test]
fn round_robin_is_even_over_several_workers() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().top("workers = 2").upstream("api", [&a, &b]).start();

    for _ in 0..60 {
        gateway.get("/");
    }
    assert!(a.hits().abs_diff(b.hits()) <= 2, "{} to {}: one off a worker at most", a.hits(), b.hits());
}

#[test]
fn weights_are_shares() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [a.entry("weight = 3"), b.entry("weight = 2")]).start();

    let picks = gateway.picks(50);
    assert_eq!(counts(picks.iter().map(String::as_str)), [("a", 30), ("b", 20)]);
}

#[test]
fn random_spreads() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).policy("random").start();

    gateway.picks(200);
    // Six standard deviations: this fails by chance once in 500 million runs.
    assert!((58..=142).contains(&a.hits()), "{} of 200", a.hits());
}

#[test]
fn two_random_choices_avoid_the_busy_one() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).policy("{ use = \"random\", choices = 2 }").start();
    let _held = gateway.begin_get("/held");
    eventually("one is busy", || a.held() + b.held() == 1);

    let idle = if a.held() == 1 { "b" } else { "a" };
    assert_eq!(gateway.picks(10), vec![idle; 10]);
}

#[test]
fn every_pick_is_counted() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.picks(5);

    let policy = gateway.policy("api");
    assert_eq!((policy["name"].as_str(), policy["state"].as_str()), (Some("round_robin"), Some("serving")));
    assert_eq!((gateway.count("api", "picks"), gateway.count("api", "fallbacks")), (5, 0));
}
