//! A request takes no longer than its route allows, wherever the time goes.

use crate::harness::{Plan, Wire, backends, gateway, script, silent};

fn within(plan: Plan, timeout: &str) -> Plan {
    plan.route(&format!("upstream = \"api\"\ntimeout = \"{timeout}\""))
}

#[track_caller]
fn is_told(client: &mut Wire) {
    let answer = client.answer();
    assert_eq!(answer.status(), 504);
    assert!(answer.text().contains("longer than this route allows (timeout)"), "{answer:?}");
}

#[test]
fn a_backend_that_does_not_answer_in_time_is_a_504() {
    let backend = script();
    let gateway = within(gateway().upstream("api", [&backend]), "100ms").start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();

    is_told(&mut client);
    assert!(connection.closes());
    assert_eq!(gateway.backend("api", &backend, "timed_out"), 1);
}

#[test]
fn a_get_does_not_move_on_when_its_time_is_up() {
    let (silent, [good]) = (script(), backends(["good"]));
    let plan = gateway().upstream("api", [silent.to_string(), good.to_string()]);
    let gateway = within(plan.policy("{ use = \"round_robin\", start = \"first\" }"), "100ms").start();

    is_told(&mut gateway.begin_get("/"));
    assert_eq!(good.hits(), 0);
}

#[test]
fn connecting_counts_too() {
    let gone = silent();
    let gateway = within(gateway().upstream("api", [gone.to_string()]), "100ms").start();
    is_told(&mut gateway.begin_get("/"));
}

#[test]
fn so_does_waiting_for_room() {
    let [a] = backends(["a"]);
    let plan = gateway().upstream("api", [&a]).with("max_conns = 1\nqueue = 9");
    let gateway = within(plan.route("path = \"/held\"\nupstream = \"api\""), "100ms").start();
    let _held = gateway.begin_get("/held");
    a.holds(1);

    is_told(&mut gateway.begin_get("/"));
    a.release();
}

#[test]
fn a_body_that_comes_too_late_is_not_the_backends_fault() {
    let backend = script();
    let gateway = within(gateway().upstream("api", [&backend]), "100ms").start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf");

    is_told(&mut client);
    assert!(client.closes(), "the rest of the body is not waited for");
    assert_eq!(gateway.backend("api", &backend, "timed_out"), 0);
}

#[test]
fn an_answer_that_stands_still_is_cut() {
    let backend = script();
    let gateway = within(gateway().upstream("api", [&backend]), "100ms").start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");

    assert!(client.answer_or_cut().cut);
    gateway.says("the answer is cut: the request's time was up (timeout)");
}

#[test]
fn an_answer_that_goes_on_and_on_is_cut_as_well() {
    let backend = script();
    let gateway = within(gateway().upstream("api", [&backend]), "300ms").start();
    let mut client = gateway.begin_get("/");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head();
    while connection.try_send("1\r\nx\r\n").is_ok() && client.try_bytes(1).is_some() {}

    gateway.says("the answer is cut: the request's time was up (timeout)");
    assert_eq!(gateway.backend("api", &backend, "timed_out"), 0, "it did not stand still");
}

#[test]
fn a_tunnel_has_no_end() {
    let backend = script();
    let gateway = within(gateway().upstream("api", [&backend]), "100ms").start();
    let mut tunnel =
        gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(tunnel.answer().status(), 101);

    is_told(&mut gateway.begin_get("/later"));
    tunnel.send("still");
    assert_eq!(connection.bytes(5), b"still");
}
