//! A shadow is asked and not obeyed.

use crate::harness::{backends, gateway, guest};

#[test]
fn what_a_shadow_would_have_chosen_is_counted_and_not_done() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/second.wat", guest::always(1))
        .upstream("api", [&a, &b])
        .with("shadow = [\"second\", { use = \"round_robin\" }]")
        .start();
    gateway.picks(20);

    assert_eq!((a.hits(), b.hits()), (10, 10));
    let shadow = gateway.policy("api")["shadows"][0].clone();
    assert_eq!((shadow["policy"].as_str(), shadow["picks"].as_u64()), (Some("second"), Some(20)));
    assert_eq!((shadow["agreed"].as_u64(), shadow["imbalance"].as_f64()), (Some(10), Some(2.0)));
    assert_eq!(shadow["chosen"][b.to_string()].as_u64(), Some(20));
    assert_eq!(gateway.policy("api")["shadows"][1]["picks"].as_u64(), Some(20));
    let metrics = gateway.control("GET", "/metrics").text();
    assert!(
        metrics.contains("pointsman_shadow_agreed_total{upstream=\"api\",policy=\"second\"} 10"),
        "{metrics}"
    );
}

#[test]
fn a_shadow_sees_its_share_of_the_picks() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with("shadow = \"fair\"\nshadow_share = \"25%\"").start();
    gateway.picks(400);

    let seen = gateway.policy("api")["shadows"][0]["picks"].as_u64().expect("a number");
    assert!((50..150).contains(&seen), "{seen}");
}

#[test]
fn a_shadow_that_fails_costs_nobody_anything() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/bad.wat", guest::poisoned(0, "(unreachable)"))
        .upstream("api", [&a, &b])
        .with("shadow = \"bad\"")
        .start();
    assert_eq!(gateway.ask(&guest::poison()).status(), 200);
    gateway.picks(5);

    let policy = gateway.policy("api");
    assert_eq!(
        (policy["shadows"][0]["faults"].as_u64(), policy["state"].as_str()),
        (Some(1), Some("serving"))
    );
    assert_eq!(policy["shadows"][0]["picks"].as_u64(), Some(1), "it is not asked again");
    assert_eq!(gateway.faults("api", "trap"), 0);
}
