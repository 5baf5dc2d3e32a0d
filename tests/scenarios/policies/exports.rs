//! What a policy may export beside `policy`, and what it may ask. The policies are those of
//! `tests/guests`.

use crate::harness::{backends, eventually, gateway, refusing};

#[test]
fn feedback_tells_how_attempts_ended() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let list = [nobody.to_string(), a.to_string()];
    let gateway = gateway().guest("feedback").upstream("api", list).policy("feedback").start();

    assert_eq!(gateway.picks(10), ["a"; 10]);
    assert_eq!(gateway.backend("api", &nobody, "connect_failed"), 1, "it learnt from the first one");
}

#[test]
fn a_timer_ticks_between_picks() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().guest("timer").upstream("api", [&a, &b]).policy("timer").start();

    eventually("an even number of ticks", || gateway.get("/").backend() == "a");
    eventually("an odd number of ticks", || gateway.get("/").backend() == "b");
    eventually("and on", || gateway.get("/").backend() == "a");
}

#[test]
fn state_is_handed_to_the_successor() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let gateway = gateway().guest("state").upstream("api", [&a, &b]).policy("state").start();
    assert_eq!(gateway.picks(3), ["b", "a", "b"]);

    gateway.rewrite(|text| text.replace(&format!("\"{b}\""), &format!("\"{b}\", \"{c}\"")));
    gateway.reload();
    assert_eq!(gateway.picks(3), ["a", "b", "a"], "it goes on where it stopped");
}

#[test]
fn a_policy_explains_itself_in_the_log() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .section("[log]\naccess = \"access.log\"\nformat = '$policy: $pick_explanation'")
        .guest("explain")
        .upstream("api", [&a])
        .policy("explain")
        .start();
    gateway.get("/");

    assert_eq!(gateway.lines("access.log", 1), ["explain: always the first"]);
}

#[test]
fn a_policy_may_look_at_the_request() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().guest("by_header").upstream("api", [&a, &b]).policy("by_header").start();
    let with = |index: u8| {
        gateway.ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nX-Backend: {index}\r\n\r\n")).backend()
    };

    assert_eq!((with(1), with(0), with(1)), ("b".into(), "a".into(), "b".into()));
}

#[test]
fn a_policy_may_look_at_the_statistics() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().guest("least_busy").upstream("api", [&a, &b]).policy("least_busy").start();
    let _held = gateway.begin_get("/held");
    a.holds(1);

    assert_eq!(gateway.picks(5), ["b"; 5]);
}

#[test]
fn a_policy_may_talk_as_much_as_it_likes() {
    let [a] = backends(["a"]);
    let gateway = gateway().guest("talks").upstream("api", [&a]).policy("talks").start();

    gateway.picks(500);
    assert!(gateway.log().contains("talks"), "what it says is marked with its name");
    assert!(gateway.log().lines().count() < 200, "and there is a limit");
}

#[test]
fn a_slow_policy_within_its_budget_serves() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .section("[sandbox]\npick_deadline = \"1s\"")
        .guest("slow")
        .upstream("api", [&a])
        .policy("slow")
        .start();

    gateway.picks(10);
    assert_eq!((gateway.count("api", "fallbacks"), gateway.faults("api", "deadline")), (0, 0));
}
