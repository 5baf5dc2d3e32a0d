//! nginx's `max_fails` and `fail_timeout`.

use crate::harness::{backend, backends, eventually, gateway, refusing};

/// Only nginx's rules.
const NO_EJECTION: &str = "ejection = { errors = 0 }";

#[test]
fn so_many_failures_take_a_backend_out() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let entry = format!("{{ address = \"{nobody}\", max_fails = 3, fail_timeout = \"1h\" }}");
    let gateway = gateway().upstream("api", [entry, a.to_string()]).with(NO_EJECTION).start();

    assert_eq!(gateway.picks(20), vec!["a"; 20]);
    assert_eq!(gateway.backend("api", &nobody, "connect_failed"), 3);
    gateway.says(&format!("{nobody} is ejected for 3600s (max_fails; last: connect_failed)"));
}

#[test]
fn after_fail_timeout_one_request_finds_out() {
    let [a, mut b] = backends(["a", "b"]);
    let rules = "max_fails = 1\nfail_timeout = \"200ms\"";
    let gateway = gateway().upstream("api", [&a, &b]).with(NO_EJECTION).with(rules).start();
    b.stop();
    eventually("it is out", || {
        gateway.picks(2) == ["a", "a"] && gateway.backend_state("api", &b) == "ejected"
    });
    b.restart();

    eventually("it serves again", || gateway.picks(2).contains(&"b".to_owned()));
}

#[test]
fn zero_switches_it_off() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let gateway = gateway().upstream("api", [nobody.to_string(), a.to_string()]).with(NO_EJECTION).start();

    gateway.picks(40);
    assert_eq!(gateway.backend("api", &nobody, "connect_failed"), 20);
}

#[test]
fn a_status_counts_if_it_is_a_condition_for_retries() {
    let busy = || backend("busy", |_| b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec());
    for (retry_on, fails) in [("[\"error\"]", false), ("[\"error\", \"http_503\"]", true)] {
        let (busy, [good]) = (busy(), backends(["good"]));
        let rules = format!("max_fails = 1\nfail_timeout = \"1h\"\nretry_on = {retry_on}");
        let gateway = gateway().upstream("api", [&busy, &good]).with(NO_EJECTION).with(&rules).start();
        (0..6).for_each(|_| drop(gateway.get("/")));
        assert_eq!(busy.hits(), if fails { 1 } else { 3 }, "{retry_on}");
    }
}

#[test]
fn a_lone_backend_is_never_taken_out() {
    let flaky =
        backend(
            "flaky",
            |request| {
                if request.target() == "/bad" { Vec::new() } else { crate::harness::ok("flaky") }
            },
        );
    let rules = "max_fails = 1\nfail_timeout = \"1h\"";
    let gateway = gateway().upstream("api", [&flaky]).with(rules).start();
    assert_eq!(gateway.get("/bad").status(), 502);

    assert_eq!(gateway.get("/good").backend(), "flaky");
    assert_eq!(gateway.backend("api", &flaky, "ejections"), 0);
}

#[test]
fn when_all_have_failed_all_are_asked_and_not_nobody() {
    let flaky = |name| {
        backend(
            name,
            move |request| {
                if request.target() == "/bad" { Vec::new() } else { crate::harness::ok(name) }
            },
        )
    };
    let [a, b] = ["a", "b"].map(flaky);
    let rules = "max_fails = 1\nfail_timeout = \"1h\"";
    let gateway = gateway().upstream("api", [&a, &b]).with(NO_EJECTION).with(rules).start();
    assert_eq!(gateway.get("/bad").status(), 502);
    assert_eq!((gateway.backend("api", &a, "ejections"), gateway.backend("api", &b, "ejections")), (1, 1));

    for _ in 0..9 {
        assert_eq!(gateway.get("/good").status(), 200, "nginx answers 502 here");
    }
    assert_eq!(gateway.backend_state("api", &a), "up", "an answer brings a backend back");
}
