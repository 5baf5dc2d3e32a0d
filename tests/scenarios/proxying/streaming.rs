//! Nothing is held back, and nothing piles up inside the gateway.

use crate::harness::{Gateway, Script, Wire, gateway, script};

/// Larger than all socket buffers on the way together.
const LARGE: usize = 96 << 20;
/// Socket buffers of the kernel may take this much; the gateway itself may not.
const BUFFERED: usize = 48 << 20;
/// How much the gateway may grow, KiB.
const GROWTH: u64 = 16 << 10;

fn started() -> (Script, Gateway) {
    let backend = script();
    let gateway = gateway().upstream("api", [&backend]).start();
    (backend, gateway)
}

/// Bytes whose loss or doubling is seen: 251 is prime to every block size.
fn pattern() -> Vec<u8> {
    (0..251 * 1024).map(|i| (i % 251) as u8).collect()
}

/// Reads `count` bytes of the pattern, the first of them number `from`.
fn reads_pattern(wire: &mut Wire, from: usize, count: usize) {
    let mut at = from;
    while at < from + count {
        let bytes = wire.bytes((from + count - at).min(64 * 1024));
        assert!(bytes.iter().zip(at..).all(|(b, i)| usize::from(*b) == i % 251), "wrong bytes near {at}");
        at += bytes.len();
    }
}

#[test]
fn an_answer_reaches_the_client_piece_by_piece() {
    let (backend, gateway) = started();
    let mut client = gateway.begin_get("/events");
    let mut connection = backend.accept();
    connection.request();
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().field("content-type"), "text/event-stream");

    for event in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
        connection.send(format!("{:x}\r\n{event}\r\n", event.len()));
        assert_eq!(client.chunk(), event.as_bytes());
    }
}

#[test]
fn an_upload_reaches_the_backend_piece_by_piece() {
    let (backend, gateway) = started();
    let mut client = gateway.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n");
    let mut connection = backend.accept();
    connection.head();

    for part in ["one", "two", "end"] {
        client.send(part);
        assert_eq!(connection.bytes(3), part.as_bytes());
    }
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.answer().status(), 204);
}

#[test]
fn a_slow_reader_slows_the_backend_and_gets_everything() {
    let (backend, gateway) = started();
    let mut client = Wire::narrow_to(gateway.address());
    client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut connection = backend.accept();
    connection.request();
    connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"));
    let before = gateway.memory();

    let sent = connection.flood(&pattern(), LARGE);
    assert!(sent < BUFFERED, "the gateway took {sent} bytes that nobody read");
    assert!(gateway.memory() < before + GROWTH, "{before} grew to {} KiB", gateway.memory());

    let sender = std::thread::spawn(move || send_pattern(&mut connection, sent));
    client.head();
    reads_pattern(&mut client, 0, LARGE);
    sender.join().expect("the backend could send all of it");
    assert!(gateway.memory() < before + GROWTH, "{before} grew to {} KiB", gateway.memory());
}

#[test]
fn a_slow_backend_slows_the_upload_and_gets_everything() {
    let (backend, gateway) = started();
    let head = format!("POST /large HTTP/1.1\r\nHost: test\r\nContent-Length: {LARGE}\r\n\r\n");
    let mut client = gateway.begin(&head);
    let mut connection = backend.accept();
    connection.head();
    let before = gateway.memory();

    let sent = client.flood(&pattern(), LARGE);
    assert!(sent < BUFFERED, "the gateway took {sent} bytes that nobody read");
    assert!(gateway.memory() < before + GROWTH, "{before} grew to {} KiB", gateway.memory());

    let sender = std::thread::spawn(move || {
        send_pattern(&mut client, sent);
        client.answer().status()
    });
    reads_pattern(&mut connection, 0, LARGE);
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(sender.join().expect("the client could send all of it"), 200);
    assert!(gateway.memory() < before + GROWTH, "{before} grew to {} KiB", gateway.memory());
}

/// Sends what of the large body is missing after `sent` bytes.
fn send_pattern(wire: &mut Wire, mut sent: usize) {
    let pattern = pattern();
    while sent < LARGE {
        let part = &pattern[sent % pattern.len()..];
        let part = &part[..part.len().min(LARGE - sent)];
        wire.send(part);
        sent += part.len();
    }
}
