//! Unix sockets and IPv6, as listeners and as backends.

use crate::harness::{Script, Wire, backends, gateway, script, script_at};

fn serves(client: &mut Wire, backend: &Script) {
    client.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut connection = backend.accept();
    assert_eq!(connection.request().target(), "/hello");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().text(), "hi");
}

#[test]
fn a_backend_may_be_a_unix_socket() {
    let plan = gateway();
    let backend = script_at(&format!("unix:{}/b.sock", plan.folder().display()));
    let gateway = plan.upstream("api", [&backend]).start();

    serves(&mut gateway.client(), &backend);
    assert_eq!(gateway.backend("api", &backend, "success"), 1);
}

#[test]
fn a_listener_may_be_a_unix_socket() {
    let backend = script();
    let plan = gateway();
    let address = format!("unix:{}/front.sock", plan.folder().display());
    let gateway = plan.listen(&address).upstream("api", [&backend]).start();

    assert_eq!(gateway.address(), address);
    serves(&mut gateway.client(), &backend);
}

#[test]
fn a_socket_file_left_behind_is_no_obstacle() {
    let backend = script();
    let plan = gateway();
    let address = format!("unix:{}/front.sock", plan.folder().display());
    drop(script_at(&address));
    let gateway = plan.listen(&address).upstream("api", [&backend]).start();

    serves(&mut gateway.client(), &backend);
}

#[test]
fn ipv6_works_on_both_sides() {
    let backend = script_at("[::1]:0");
    let gateway = gateway().listen("[::1]:0").upstream("api", [&backend]).start();

    assert!(gateway.address().starts_with("[::1]:"));
    serves(&mut gateway.client(), &backend);
}

#[test]
fn several_listeners_serve_the_same_routes() {
    let [a] = backends(["a"]);
    let gateway = gateway().listen("127.0.0.1:0").listen("[::1]:0").upstream("api", [&a]).start();

    for address in gateway.addresses() {
        let mut client = Wire::to(address);
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.answer().backend(), "a");
    }
}
