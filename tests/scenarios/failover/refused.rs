//! Nobody listens: nothing was sent, so every request may move on.

use crate::harness::{backends, eventually, gateway, refusing};

const FIRST: &str = "{ use = \"round_robin\", start = \"first\" }";

#[test]
fn a_refused_request_moves_on() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let gateway = gateway().upstream("api", [nobody.to_string(), a.to_string()]).policy(FIRST).start();

    assert_eq!(gateway.get("/").backend(), "a");
    assert_eq!(gateway.backend("api", &nobody, "connect_failed"), 1);
    assert_eq!(gateway.backend("api", &a, "success"), 1);
}

#[test]
fn a_refused_post_moves_on_with_its_body() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let gateway = gateway().upstream("api", [nobody.to_string(), a.to_string()]).policy(FIRST).start();
    let answer = gateway.ask("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");

    assert_eq!(answer.backend(), "a");
    assert_eq!(a.only_request().text(), "hello");
}

#[test]
fn when_all_refuse_it_is_502_and_each_was_tried_once() {
    let nobody = [refusing(), refusing(), refusing()];
    let gateway = gateway().upstream("api", &nobody).start();

    assert_eq!(gateway.get("/").status(), 502);
    for backend in &nobody {
        assert_eq!(gateway.backend("api", backend, "connect_failed"), 1);
    }
}

#[test]
fn tries_bounds_how_many_are_asked() {
    let (nobody, [a]) = ([refusing(), refusing()], backends(["a"]));
    let list = [nobody[0].to_string(), nobody[1].to_string(), a.to_string()];
    let gateway = gateway().upstream("api", list).policy(FIRST).with("tries = 2").start();

    assert_eq!(gateway.get("/").status(), 502);
    assert_eq!(a.hits(), 0);
}

#[test]
fn no_request_is_lost_while_a_backend_is_away() {
    let [a, mut b] = backends(["a", "b"]);
    let short = "ejection = { first = \"100ms\" }";
    let gateway = gateway().upstream("api", [&a, &b]).with(short).start();
    assert!(gateway.picks(10).contains(&"b".to_owned()));

    b.stop();
    assert_eq!(gateway.picks(20), vec!["a"; 20]);
    b.restart();
    eventually("it serves again", || gateway.picks(2).contains(&"b".to_owned()));
}

#[test]
fn a_missing_unix_socket_is_a_refusal_too() {
    let [a] = backends(["a"]);
    let plan = gateway();
    let missing = format!("unix:{}/missing.sock", plan.folder().display());
    let gateway = plan.upstream("api", [missing, a.to_string()]).policy(FIRST).start();

    assert_eq!(gateway.get("/").backend(), "a");
}
