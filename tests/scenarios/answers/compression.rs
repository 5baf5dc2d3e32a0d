//! Answers compressed on their way.

use std::io::Read;

use crate::harness::{Backend, Gateway, Message, Plan, backend, gateway, script};

const TEXT: &str = "all work and no play makes jack a dull boy. ";

/// A backend whose answer to `/name?fields` has these fields, `;` between them.
fn library() -> Backend {
    backend("library", |request| {
        let fields = request.target().split_once('?').map_or("", |(_, fields)| fields).replace("%22", "\"");
        let fields: String = fields
            .split('&')
            .filter(|field| !field.is_empty())
            .map(|field| format!("{}\r\n", field.replacen('=', ": ", 1)))
            .collect();
        let body = TEXT.repeat(100);
        format!(
            "HTTP/1.1 200 OK\r\nX-Backend: library\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
}

fn plan(library: &Backend) -> Plan {
    gateway().section("[compression]").upstream("library", [library])
}

fn ask(gateway: &Gateway, fields: &str, accept: &str) -> Message {
    gateway.ask(&format!("GET /x?{fields} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accept}\r\n\r\n"))
}

fn decoded(answer: &Message) -> String {
    let body = &answer.body[..];
    let mut text = String::new();
    let read = match answer.field("content-encoding").as_str() {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut text),
        "br" => brotli::Decompressor::new(body, 4096).read_to_string(&mut text),
        "zstd" => zstd::stream::read::Decoder::new(body).and_then(|mut it| it.read_to_string(&mut text)),
        other => panic!("{other:?}: {answer:?}"),
    };
    read.unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    text
}

#[test]
fn each_coding_brings_the_same_text() {
    let library = library();
    let gateway = plan(&library).start();

    for coding in ["gzip", "br", "zstd"] {
        let answer = ask(&gateway, "content-type=text/html&etag=%22a%22&accept-ranges=bytes", coding);
        assert_eq!(answer.field("content-encoding"), coding);
        assert_eq!(decoded(&answer), TEXT.repeat(100));
        assert!(answer.body.len() < 400, "{coding}: {}", answer.body.len());
        assert_eq!(
            (answer.field("vary"), answer.field("etag")),
            ("Accept-Encoding".into(), "W/\"a\"".into())
        );
        assert!(!answer.has("accept-ranges"), "{answer:?}");
    }
}

#[test]
fn weights_decide_and_then_our_order() {
    let library = library();
    let gateway = plan(&library).start();
    let coding = |accept| ask(&gateway, "content-type=text/css", accept).field("content-encoding");

    assert_eq!(coding("gzip, br, zstd"), "zstd");
    assert_eq!(coding("gzip;q=1.0, br;q=0.9, zstd;q=0"), "gzip");
    assert_eq!(coding("gzip;q=0, *;q=0.1, zstd;q=0"), "br");
    assert_eq!(coding("identity"), "");
}

#[test]
fn who_does_not_want_it_is_told_that_others_might() {
    let library = library();
    let gateway = plan(&library).start();

    let answer = ask(&gateway, "content-type=application/json&vary=Cookie", "identity");
    assert_eq!(answer.text(), TEXT.repeat(100));
    assert_eq!(answer.field("vary"), "Cookie, Accept-Encoding");
}

#[test]
fn what_is_not_worth_it_stays_as_it_is() {
    let library = library();
    let gateway = plan(&library).start();

    for fields in [
        "content-type=image/png",
        "content-type=text/event-stream",
        "content-type=text/html&content-encoding=gzip",
        "content-type=text/html&cache-control=no-transform",
        "",
    ] {
        let answer = ask(&gateway, fields, "gzip");
        assert_eq!(answer.text(), TEXT.repeat(100), "{fields}");
        assert!(!answer.has("vary"), "{fields}");
    }
}

#[test]
fn small_answers_old_clients_and_head_are_left_alone() {
    let library = library();
    let gateway =
        gateway().section("[compression]\nmin_size = \"5k\"").upstream("library", [&library]).start();
    assert_eq!(ask(&gateway, "content-type=text/html", "gzip").text(), TEXT.repeat(100));

    let gateway = plan(&library).start();
    let old = gateway.ask("GET /x?content-type=text/html HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!((old.text(), old.field("vary")), (TEXT.repeat(100), "Accept-Encoding".into()));
    let mut client =
        gateway.begin("HEAD /x?content-type=text/html HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let head = client.answer_to_head();
    assert_eq!((head.field("content-length"), head.field("vary")), ("4400".into(), "Accept-Encoding".into()));
}

#[test]
fn a_route_may_say_otherwise() {
    let library = library();
    let off = gateway().section("[compression]").route("upstream = \"library\"\ncompression = false");
    let off = off.upstream("library", [&library]).start();
    assert!(!ask(&off, "content-type=text/html", "gzip").has("content-encoding"));
    let on =
        gateway().route("upstream = \"library\"\ncompression = true").upstream("library", [&library]).start();
    assert_eq!(decoded(&ask(&on, "content-type=text/html", "gzip")), TEXT.repeat(100));
}

#[test]
fn the_gateways_own_answers_are_compressed_whole() {
    let page = TEXT.repeat(20);
    let gateway =
        gateway().section("[compression]").route(&format!("return = {{ text = \"{page}\" }}")).start();

    let answer = ask(&gateway, "", "br");
    assert_eq!(decoded(&answer), page);
    assert_eq!(answer.field("content-length"), answer.body.len().to_string());
}

#[test]
fn a_stream_arrives_as_it_is_made() {
    let backend = script();
    let gateway = gateway().section("[compression]").upstream("stream", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let mut at_backend = backend.accept();
    at_backend.request();
    at_backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().field("content-encoding"), "gzip");

    let mut all = Vec::new();
    for word in ["one ", "two ", "three "] {
        at_backend.send(format!("{:x}\r\n{word}\r\n", word.len()));
        let before = text_so_far(&all);
        while text_so_far(&all) == before {
            all.extend(client.chunk());
        }
        assert!(text_so_far(&all).ends_with(word));
    }
    at_backend.send("0\r\n\r\n");
    loop {
        let chunk = client.chunk();
        if chunk.is_empty() {
            break;
        }
        all.extend(chunk);
    }
    assert_eq!(text_so_far(&all), "one two three ");
}

fn text_so_far(bytes: &[u8]) -> String {
    let (mut text, mut block) = (Vec::new(), [0; 64]);
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    while let Ok(read @ 1..) = decoder.read(&mut block) {
        text.extend_from_slice(&block[..read]);
    }
    String::from_utf8(text).expect("text")
}

#[test]
fn a_cut_answer_looks_cut() {
    let backend = script();
    let gateway = gateway().section("[compression]").upstream("stream", [&backend]).start();
    let mut client = gateway.begin("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n");
    let mut at_backend = backend.accept();
    at_backend.request();
    at_backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nhalf");
    drop(at_backend);

    assert!(client.answer_or_cut().cut);
}

#[test]
fn trailers_come_after_the_last_piece() {
    let backend = script();
    let gateway = gateway().section("[compression]").upstream("stream", [&backend]).start();
    let mut client =
        gateway.begin("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nAccept-Encoding: gzip\r\n\r\n");
    let mut at_backend = backend.accept();
    at_backend.request();
    at_backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n");

    let answer = client.answer();
    assert_eq!(decoded(&answer), "body");
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "7".to_owned())]);
}

#[test]
fn the_access_log_counts_what_was_sent() {
    let library = library();
    let gateway =
        plan(&library).section("[log]\naccess = \"access.log\"\nformat = \"$body_bytes_sent\"").start();
    let answer = ask(&gateway, "content-type=text/html", "gzip");

    assert_eq!(gateway.lines("access.log", 1), [answer.body.len().to_string()]);
}
