//! `limits.max_connections` and `limits.max_connections_per_client`.

use crate::harness::{Gateway, Wire, gateway};

fn limited(lines: &str) -> Gateway {
    gateway().top("workers = 2").section(&format!("[limits]\n{lines}")).route("return = 204").start()
}

fn served(gateway: &Gateway) -> Wire {
    let mut client = gateway.begin_get("/");
    assert_eq!(client.answer().status(), 204);
    client
}

#[test]
fn one_more_than_there_may_be_waits_until_one_ends() {
    let gateway = limited("max_connections = 2");
    let (first, _second) = (served(&gateway), served(&gateway));

    let mut third = gateway.begin_get("/");
    gateway.says("2 clients are connected (limits.max_connections): more have to wait");
    assert!(third.is_quiet());
    drop(first);
    assert_eq!(third.answer().status(), 204);
}

#[test]
fn a_reload_makes_room() {
    let gateway = limited("max_connections = 1");
    let _first = served(&gateway);
    let mut second = gateway.begin_get("/");
    gateway.says("1 clients are connected");
    gateway.rewrite(|text| text.replace("max_connections = 1", "max_connections = 2"));
    gateway.reload();

    assert_eq!(second.answer().status(), 204);
}

#[test]
fn a_client_with_too_many_is_turned_away_and_others_are_not() {
    let gateway = limited("max_connections_per_client = 2");
    let (first, _second) = (served(&gateway), served(&gateway));

    let mut third = gateway.begin_get("/");
    assert!(third.try_answer().is_none(), "it is closed");
    gateway.says("127.0.0.1: closed at once, it has 2 connections (limits.max_connections_per_client)");
    drop(first);
    crate::harness::eventually("there is room again", || gateway.begin_get("/").try_answer().is_some());
}
