//! After too many faults a policy is quarantined: the last good version of the same name comes
//! back, else the gateway's own fallback. A new file gets a new chance.

use crate::harness::{Gateway, Plan, backends, counts, eventually, gateway, guest};

fn strict(plan: Plan) -> Plan {
    plan.section("[sandbox]\nmax_faults = 3\nfault_window = \"60s\"")
}

fn state(gateway: &Gateway) -> String {
    gateway.policy("api")["state"].as_str().unwrap_or_default().to_owned()
}

/// Poisons until the gateway has had enough; each poisoned request must be answered.
#[track_caller]
fn poison_until(gateway: &Gateway, wanted: &str) {
    eventually(&format!("the policy is {wanted}"), || {
        assert_eq!(gateway.ask(&guest::poison()).status(), 200);
        state(gateway) == wanted
    });
}

#[test]
fn without_an_older_version_the_fallback_serves() {
    let [a, b] = backends(["a", "b"]);
    let bad = guest::poisoned(1, "(unreachable)");
    let gateway =
        strict(gateway()).file("policies/mine.wat", bad).upstream("api", [&a, &b]).policy("mine").start();
    assert_eq!(gateway.picks(3), ["b"; 3]);

    poison_until(&gateway, "quarantined");
    assert_eq!(gateway.faults("api", "trap"), 3);
    eventually("smooth weighted round robin picks", || {
        let picks = gateway.picks(4);
        counts(picks.iter().map(String::as_str)) == [("a", 2), ("b", 2)]
    });
    assert!(gateway.log().contains("mine"), "and it says so:\n{}", gateway.log());
}

#[test]
fn the_last_good_version_comes_back() {
    let [a, b] = backends(["a", "b"]);
    let gateway = strict(gateway())
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    assert_eq!(gateway.picks(2), ["a"; 2]);
    let good = gateway.policy("api")["version"].clone();
    gateway.write("policies/mine.wat", guest::poisoned(1, "(unreachable)"));
    eventually("the new version serves", || gateway.picks(2) == ["b"; 2]);

    eventually("the old version serves", || {
        assert_eq!(gateway.ask(&guest::poison()).status(), 200);
        gateway.policy("api")["version"] == good
    });
    eventually("and picks", || gateway.picks(2) == ["a"; 2]);
}

#[test]
fn what_replaces_a_built_in_gives_way_too() {
    let [a, b] = backends(["a", "b"]);
    let bad = guest::poisoned(1, "(unreachable)");
    let gateway = strict(gateway()).file("policies/round_robin.wat", bad).upstream("api", [&a, &b]).start();
    assert_eq!(gateway.picks(4), ["b"; 4]);

    eventually("both serve again", || {
        assert_eq!(gateway.ask(&guest::poison()).status(), 200);
        gateway.picks(4).contains(&"a".to_owned())
    });
}

#[test]
fn a_new_file_gets_a_new_chance() {
    let [a, b] = backends(["a", "b"]);
    let bad = guest::poisoned(1, "(unreachable)");
    let gateway =
        strict(gateway()).file("policies/mine.wat", bad).upstream("api", [&a, &b]).policy("mine").start();
    poison_until(&gateway, "quarantined");

    gateway.write("policies/mine.wat", guest::always(1));
    eventually("the mended version serves", || state(&gateway) == "serving");
    assert_eq!(gateway.picks(4), ["b"; 4]);
}

#[test]
fn one_upstream_in_quarantine_is_no_matter_for_another() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let bad = guest::poisoned(1, "(unreachable)");
    let gateway = strict(gateway())
        .file("policies/bad.wat", bad)
        .file("policies/good.wat", guest::always(1))
        .route("path = \"/\"\nupstream = \"api\"")
        .route("path = \"/other\"\nupstream = \"other\"")
        .upstream("api", [&a, &b])
        .policy("bad")
        .upstream("other", [&a, &c])
        .policy("good")
        .start();

    poison_until(&gateway, "quarantined");
    assert_eq!(gateway.get("/other").backend(), "c");
    assert_eq!(gateway.policy("other")["state"], "serving");
}
