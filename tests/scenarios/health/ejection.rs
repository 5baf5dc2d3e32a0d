//! A backend that does nothing but fail is out for a time; one request finds out whether it is
//! well again.

use crate::harness::{backend, backends, eventually, gateway};

/// Out after three errors, and for so short that a test can wait for the end.
const SHORT: &str = "ejection = { errors = 3, first = \"300ms\", longest = \"300ms\" }";
/// Out after three errors, and for longer than any test.
const LONG: &str = "ejection = { errors = 3, first = \"1h\", longest = \"1h\" }";
const FIRST: &str = "{ use = \"round_robin\", start = \"first\" }";

#[test]
fn it_is_asked_no_more_and_said_to_be_out() {
    let bad = backend("bad", |_| b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec());
    let [good] = backends(["good"]);
    let gateway = gateway().upstream("api", [&bad, &good]).policy(FIRST).with(LONG).start();
    while bad.hits() < 3 {
        gateway.get("/");
    }

    assert_eq!(gateway.picks(6), vec!["good"; 6]);
    assert_eq!(bad.hits(), 3);
    gateway
        .says(&format!("{bad} is ejected for 3600s (errors in a row; last: server_error); 1 of 2 are left"));
    assert_eq!(gateway.backend("api", &bad, "ejections"), 1);
    eventually("the policy chooses from one", || !gateway.candidates("api").contains(&bad.to_string()));
    assert_eq!(gateway.backend_state("api", &bad), "ejected");
}

#[test]
fn five_errors_in_a_row_are_enough_without_any_configuration() {
    let [a, mut b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    b.stop();
    for _ in 0..20 {
        assert_eq!(gateway.get("/").backend(), "a");
    }
    assert_eq!(gateway.backend("api", &b, "connect_failed"), 5);
}

#[test]
fn one_trial_brings_it_back() {
    let [a, mut b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with(SHORT).start();
    b.stop();
    eventually("it is out", || {
        gateway.picks(2) == ["a", "a"] && gateway.backend_state("api", &b) == "ejected"
    });
    b.restart();

    eventually("it serves again", || gateway.picks(4).contains(&"b".to_owned()));
    assert_eq!(gateway.backend_state("api", &b), "up");
    assert_eq!(gateway.backend("api", &b, "returns"), 1);
    gateway.says(&format!("{b} is back"));
}

#[test]
fn a_trial_that_fails_costs_its_request_nothing() {
    let [a, mut b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with(SHORT).start();
    b.stop();
    eventually("two trials have failed", || {
        assert_eq!(gateway.get("/").backend(), "a");
        gateway.backend("api", &b, "ejections") >= 3
    });
    assert_eq!(gateway.backend("api", &b, "connect_failed"), 3 + gateway.backend("api", &b, "ejections") - 1);
}

#[test]
fn a_post_is_not_risked_in_a_trial() {
    let shaky = backend("shaky", |_| Vec::new());
    let [good] = backends(["good"]);
    let gateway = gateway().upstream("api", [&shaky, &good]).with(SHORT).start();
    eventually("it is out", || {
        gateway.get("/");
        gateway.backend_state("api", &shaky) == "ejected"
    });
    let seen = shaky.hits();

    // Longer than it is out, and shorter than a trial waits for a request that may be repeated.
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(900) {
        let answer = gateway.ask("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer.backend(), "good");
    }
    assert_eq!(shaky.hits(), seen);
    eventually("a GET tries it", || gateway.get("/").backend() == "good" && shaky.hits() == seen + 1);
}

#[test]
fn the_last_one_stays_however_bad_it_is() {
    let bad = backend("bad", |_| b"HTTP/1.1 502 Bad\r\nX-Backend: bad\r\nContent-Length: 0\r\n\r\n".to_vec());
    let gateway = gateway().upstream("api", [&bad]).with(LONG).start();

    assert_eq!(gateway.picks(9), vec!["bad"; 9]);
    assert_eq!(gateway.backend("api", &bad, "ejections"), 0);
}

#[test]
fn it_stays_out_over_a_reload() {
    let [a, mut b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with(LONG).start();
    b.stop();
    eventually("it is out", || {
        gateway.picks(2) == ["a", "a"] && gateway.backend_state("api", &b) == "ejected"
    });
    b.restart();

    gateway.reload();
    assert_eq!(gateway.picks(8), vec!["a"; 8]);
    assert_eq!(b.hits(), 0);
}

#[test]
fn a_plain_500_is_an_answer() {
    let odd =
        backend("odd", |_| b"HTTP/1.1 500 Oops\r\nX-Backend: odd\r\nContent-Length: 0\r\n\r\n".to_vec());
    let [good] = backends(["good"]);
    let gateway = gateway().upstream("api", [&odd, &good]).with(LONG).start();
    gateway.picks(12);

    assert_eq!((odd.hits(), gateway.backend_state("api", &odd).as_str()), (6, "up"));
}

#[test]
fn there_is_always_an_instance_to_ask_while_candidates_change() {
    let [a, mut b, c] = backends(["a", "b", "c"]);
    let plan = gateway().top("workers = 2").upstream("api", [&a, &b, &c]);
    let gateway = plan.policy("least_conn").with(LONG).start();
    b.stop();
    for _ in 0..12 {
        assert_eq!(gateway.get("/").status(), 200);
    }
    assert_eq!(gateway.backend_state("api", &b), "ejected");
    assert_eq!(gateway.count("api", "fallbacks"), 0);
}
