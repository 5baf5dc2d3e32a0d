//! Connections are used again, on both sides.

use crate::harness::{End, H2, backends, eventually, gateway, script};

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn one_connection_of_a_client_serves_many_requests() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let mut client = gateway.client();

    for _ in 0..20 {
        client.send(GET);
        assert_eq!(client.answer().text(), "a");
    }
}

#[test]
fn one_connection_to_a_backend_serves_many_clients() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    for _ in 0..20 {
        assert_eq!(gateway.get("/").status(), 200);
    }
    assert_eq!((a.hits(), a.connections()), (20, 1));
}

#[test]
fn no_connection_is_kept_when_none_may_idle() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with("idle_connections = 0").start();

    gateway.picks(3);
    assert_eq!(a.connections(), 3);
}

#[test]
fn no_more_connections_are_kept_than_may_idle() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).with("idle_connections = 2").start();
    let mut held = [(); 5].map(|()| gateway.begin_get("/held"));
    a.holds(5);
    assert_eq!(a.open_connections(), 5);

    a.release();
    held.iter_mut().for_each(|client| assert_eq!(client.answer().status(), 200));
    eventually("two are left", || a.open_connections() == 2);
}

#[test]
fn a_client_that_says_close_gets_it() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().field("connection"), "close");
    assert!(client.closes());

    gateway.get("/");
    assert_eq!(a.connections(), 1, "the client's close is not the backend's");
}

#[test]
fn a_backend_that_says_close_costs_the_client_nothing() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.client();

    for _ in 0..2 {
        client.send(GET);
        let mut connection = backend.accept();
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
        assert_ne!(client.answer().field("connection"), "close");
        assert!(connection.closes(), "the gateway takes the backend at its word");
    }
}

#[test]
fn an_idle_client_is_closed_in_time() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nidle_timeout = \"100ms\"").upstream("api", [&a]).start();
    let mut client = gateway.begin(GET);

    assert_eq!(client.answer().status(), 200);
    assert!(client.closes());
}

#[test]
fn an_idle_backend_is_closed_in_time() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).with("idle_timeout = \"100ms\"").start();
    let mut client = gateway.begin(GET);

    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.answer().status(), 204);
    assert!(connection.closes());
}

#[test]
fn a_connection_ends_with_the_last_request_that_it_may_carry() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_requests = 2").upstream("api", [&a]).start();
    let mut client = gateway.client();

    client.send(GET);
    assert!(!client.answer().has("connection"));
    client.send(GET);
    assert_eq!(client.answer().field("connection"), "close");
    assert!(client.closes());
}

#[test]
fn http_2_ends_with_its_last_request_too() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nmax_requests = 2").upstream("api", [&a]).start();
    let mut client = H2::on(gateway.client());

    for stream in [1, 3] {
        client.get(stream, "/", &[]);
        assert_eq!(client.answer_of(stream), End::Answered(200));
    }
    client.get(5, "/", &[]);
    assert_ne!(client.answer_of(5), End::Answered(200));
}
