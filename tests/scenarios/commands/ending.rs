//! stop ends at once, quit when the last request has its answer.

use rustix::process::Signal;

use crate::harness::{End, Gateway, H2, Wire, backends, eventually, gateway, pointsman};

fn refuses(gateway: &Gateway) -> bool {
    std::net::TcpStream::connect(gateway.address()).is_err()
}

#[test]
fn stop_ends_at_once() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();
    let mut held = gateway.begin_get("/held");
    a.holds(1);

    assert_eq!(gateway.command("stop").code, 0);
    assert_eq!(gateway.ends(), 0);
    assert!(held.try_head().is_none(), "cut, not answered");
}

#[test]
fn sigterm_stops() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ends(), 0);
}

/// Quits a gateway that holds a request, by `quit`; the request must get its answer.
#[track_caller]
fn drains(quit: impl FnOnce(&Gateway)) {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();
    let mut held = gateway.begin_get("/held");
    let mut idle = gateway.client();
    idle.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(idle.answer().status(), 200);
    a.holds(1);

    quit(&gateway);
    eventually("nobody new is let in", || refuses(&gateway));
    assert!(idle.closes(), "idle connections end");
    a.release();
    let answer = held.answer();
    assert_eq!((answer.backend().as_str(), answer.field("connection").as_str()), ("a", "close"));
    assert_eq!(gateway.ends(), 0);
}

#[test]
fn quit_lets_requests_end() {
    drains(|gateway| assert_eq!(gateway.command("quit").code, 0));
}

#[test]
fn sigquit_quits() {
    drains(|gateway| gateway.signal(Signal::QUIT));
}

#[test]
fn quit_lets_a_stream_end_too() {
    let backend = crate::harness::script();
    let mut gateway = gateway().upstream("api", [&backend]).start();
    let mut client: Wire = gateway.begin_get("/stream");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head();

    gateway.signal(Signal::QUIT);
    eventually("nobody new is let in", || refuses(&gateway));
    connection.send("5\r\nhello\r\n0\r\n\r\n");
    assert_eq!((client.chunk(), client.chunk()), (b"hello".to_vec(), vec![]));
    assert_eq!(gateway.ends(), 0);
}

#[test]
fn quit_lets_an_upload_end_too() {
    let backend = crate::harness::script();
    let mut gateway = gateway().upstream("api", [&backend]).start();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf");
    let mut connection = backend.accept();
    connection.head();

    gateway.signal(Signal::QUIT);
    eventually("nobody new is let in", || refuses(&gateway));
    client.send("half");
    assert_eq!(connection.bytes(8), b"halfhalf");
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!((client.answer().status(), gateway.ends()), (204, 0));
}

#[test]
fn quit_lets_a_tunnel_end_too() {
    let backend = crate::harness::script();
    let mut gateway = gateway().upstream("api", [&backend]).start();
    let mut client =
        gateway.begin("GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
    let mut connection = backend.accept();
    connection.request();
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
    assert_eq!(client.answer().status(), 101);

    gateway.signal(Signal::QUIT);
    eventually("nobody new is let in", || refuses(&gateway));
    client.send("last words");
    assert_eq!(connection.bytes(10), b"last words");
    drop(client);
    assert_eq!(gateway.ends(), 0);
}

#[test]
fn quit_tells_clients_of_http2() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();
    let mut client = H2::on(gateway.client());
    client.get(1, "/", &[]);
    assert_eq!(client.end_of(1), End::Answered(200));

    gateway.signal(Signal::QUIT);
    assert_eq!(client.end_of(3), End::Over(Some(0)), "a GOAWAY without an error");
    while client.end_of(3) != End::Over(None) {}
    assert_eq!(gateway.ends(), 0);
}

#[test]
fn quit_lets_streams_of_http2_end() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();
    let mut client = H2::on(gateway.client());
    client.get(1, "/held", &[]);
    a.holds(1);

    gateway.signal(Signal::QUIT);
    eventually("nobody new is let in", || refuses(&gateway));
    a.release();
    assert_eq!(client.answer_of(1), End::Answered(200));
    assert_eq!(gateway.ends(), 0);
}

#[test]
fn quit_waits_for_a_bounded_time_only() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().top("quit_timeout = \"200ms\"").upstream("api", [&a]).start();
    let mut held = gateway.begin_get("/held");
    a.holds(1);

    gateway.signal(Signal::QUIT);
    gateway.ends();
    assert!(held.try_head().is_none());
}

#[test]
fn stop_after_quit_does_not_wait() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().upstream("api", [&a]).start();
    let _held = gateway.begin_get("/held");
    a.holds(1);

    gateway.signal(Signal::QUIT);
    eventually("nobody new is let in", || refuses(&gateway));
    gateway.signal(Signal::TERM);
    gateway.ends();
}

#[test]
fn sockets_are_gone_after_the_end() {
    let [a] = backends(["a"]);
    let plan = gateway();
    let address = format!("unix:{}/front.sock", plan.folder().display());
    let mut gateway = plan.listen(&address).upstream("api", [&a]).start();
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ends(), 0);

    for socket in ["front.sock", "pointsman.sock"] {
        assert!(!gateway.file(socket).exists(), "{socket}");
    }
}

#[test]
fn the_pid_file_lives_as_long_as_the_gateway() {
    let [a] = backends(["a"]);
    let mut gateway = gateway().top("pid_file = \"pointsman.pid\"").upstream("api", [&a]).start();
    let written = std::fs::read_to_string(gateway.file("pointsman.pid")).expect("a pid file");
    assert_eq!(written.trim(), gateway.pid().to_string());

    gateway.signal(Signal::TERM);
    assert_eq!((gateway.ends(), gateway.file("pointsman.pid").exists()), (0, false));
}

#[test]
fn commands_for_a_gateway_that_does_not_run_say_so() {
    let plan = gateway().upstream("api", ["127.0.0.1:1"]).write();
    for command in ["reload", "stop", "quit"] {
        let finished = pointsman(&[command, "-c", &plan.path().display().to_string()]);
        assert_eq!(finished.code, 3, "{finished:?}");
        assert!(finished.stderr.contains("pointsman.sock"), "{finished:?}");
    }
}
