//! A new process of the same program takes over, and nobody notices.

use rustix::process::Signal;

use crate::harness::{Load, backends, eventually, gateway, script};

#[test]
fn many_upgrades_fail_nobody() {
    let [a] = backends(["a"]);
    let gateway = gateway().top("workers = 2").upstream("api", [&a]).start();
    let load = Load::that_may_move_on(&gateway, 6);

    for _ in 0..3 {
        gateway.upgrade();
        load.goes_on_for(50);
    }
    assert!(load.stop() > 150);
}

#[test]
fn who_was_being_served_is_served_to_the_end_by_the_old_process() {
    let backend = script();
    let mut gateway = gateway().upstream("api", [&backend]).start();
    let mut held = gateway.begin_get("/held");
    let mut connection = backend.accept();
    connection.request();

    gateway.upgrade();
    let mut next = gateway.begin_get("/next");
    let mut other = backend.accept();
    other.request();
    for (connection, client) in [(&mut other, &mut next), (&mut connection, &mut held)] {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer().text(), "hi");
    }
    assert_eq!(gateway.ends(), 0, "the old process");
}

#[test]
fn the_new_process_has_the_new_configuration_the_socket_and_the_pid_file() {
    let [a, b] = backends(["a", "b"]);
    let mut gateway = gateway().top("pid_file = \"pid\"").upstream("api", [&a]).start();
    gateway.rewrite(|text| text.replace(&a.to_string(), &b.to_string()));
    let old = gateway.pid();

    gateway.upgrade();
    gateway.ends();
    assert_eq!(gateway.get("/").backend(), "b");
    assert_eq!(gateway.state()["generation"], 1);
    let number = gateway.lines("pid", 1).remove(0);
    assert_ne!(number, old.to_string());
}

#[test]
fn a_new_process_that_fails_changes_nothing() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.rewrite(|text| text + "\nnonsense = 1\n");

    let finished = gateway.command("upgrade");
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(finished.stderr.contains("this one goes on"), "{finished:?}");
    gateway.says("has no key `nonsense`");
    assert_eq!(gateway.get("/").status(), 200);
}

#[test]
fn sigusr2_upgrades_as_in_nginx() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();

    gateway.signal(Signal::USR2);
    gateway.ends();
    assert_eq!(gateway.get("/").status(), 200);
    assert_eq!(gateway.command("stop").code, 0);
    eventually("the new process ends", || std::net::TcpStream::connect(gateway.address()).is_err());
}
