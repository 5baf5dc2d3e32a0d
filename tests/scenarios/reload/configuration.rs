//! A new configuration comes into force whole, or not at all.

use rustix::process::Signal;

use crate::harness::{Wire, backends, eventually, gateway, script};

#[test]
fn a_reload_brings_the_new_configuration() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a]).start();
    assert_eq!(gateway.get("/").backend(), "a");

    let generation = gateway.generation();
    gateway.rewrite(|text| text.replace(&a.to_string(), &b.to_string()));
    gateway.reload();
    assert_eq!(gateway.get("/").backend(), "b");
    assert!(gateway.generation() > generation);
}

#[test]
fn a_signal_reloads_too() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.rewrite(|text| text.replace(&a.to_string(), &b.to_string()));

    gateway.signal(Signal::HUP);
    eventually("the new backend serves", || gateway.get("/").backend() == "b");
}

#[test]
fn the_control_socket_reloads_too() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.rewrite(|text| text.replace(&a.to_string(), &b.to_string()));

    assert_eq!(gateway.control("POST", "/reload").status(), 200);
    assert_eq!(gateway.get("/").backend(), "b");
}

#[test]
fn a_refused_configuration_changes_nothing_and_says_why() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let generation = gateway.generation();
    gateway.rewrite(|text| text.replace("upstream = \"api\"", "upstream = \"apu\""));

    let finished = gateway.command("reload");
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(finished.stderr.contains("apu"), "the asker is told: {finished:?}");
    assert_eq!((gateway.get("/").backend().as_str(), gateway.generation()), ("a", generation));
}

#[test]
fn a_refused_signal_is_told_in_the_log() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.rewrite(|_| "this is not TOML".into());

    gateway.signal(Signal::HUP);
    gateway.says("pointsman.toml");
    assert_eq!(gateway.get("/").backend(), "a");
}

#[test]
fn a_missing_file_changes_nothing() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    std::fs::remove_file(gateway.file("pointsman.toml")).expect("it was there");

    assert_eq!(gateway.control("POST", "/reload").status() / 100, 4);
    assert_eq!(gateway.get("/").backend(), "a");
}

#[test]
fn a_missing_policy_changes_nothing_and_is_named() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.rewrite(|text| text + "policy = \"nowhere\"\n");

    let finished = gateway.command("reload");
    assert!(finished.code == 1 && finished.stderr.contains("nowhere"), "{finished:?}");
    assert_eq!(gateway.get("/").backend(), "a");
}

#[test]
fn a_held_request_ends_where_it_began() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let mut held = gateway.begin_get("/held");
    a.holds(1);

    gateway.rewrite(|text| text.replace(&a.to_string(), &b.to_string()));
    gateway.reload();
    a.release();
    assert_eq!(held.answer().backend(), "a");
    held.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(held.answer().backend(), "b", "on the same connection, by the new configuration");
}

#[test]
fn backends_that_remain_keep_their_connections_and_numbers() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.picks(5);

    gateway.rewrite(|text| text.replace(&format!("\"{a}\""), &format!("\"{a}\", \"{b}\"")));
    gateway.reload();
    gateway.picks(10);
    assert_eq!((a.connections(), b.hits()), (1, 5));
    assert_eq!(gateway.backend("api", &a, "success"), 10);
}

#[test]
fn a_new_listener_opens_and_an_old_one_closes() {
    let [a] = backends(["a"]);
    let plan = gateway();
    let [first, second] =
        ["first", "second"].map(|name| format!("unix:{}/{name}.sock", plan.folder().display()));
    let gateway = plan.listen(&first).upstream("api", [&a]).start();
    let mut kept = gateway.client();

    gateway.rewrite(|text| text.replace("first.sock", "second.sock"));
    gateway.reload();
    let mut client = Wire::to(&second);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
    kept.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(kept.answer().status(), 200, "who was there is served to the end");
    eventually("nobody is let in any more", || {
        std::os::unix::net::UnixStream::connect(&first["unix:".len()..]).is_err()
    });
}

#[test]
fn a_stream_survives() {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin_get("/events");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head();

    for _ in 0..3 {
        gateway.reload();
        connection.send("5\r\nhello\r\n");
        assert_eq!(client.chunk(), b"hello");
    }
}
