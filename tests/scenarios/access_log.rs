//! What is written about each request, in nginx's words.

use rustix::process::Signal;

use crate::harness::{Plan, backends, eventually, gateway, refusing, run, script};

fn logged(format: &str) -> Plan {
    gateway().section(&format!("[log]\naccess = \"access.log\"\nformat = '{format}'"))
}

#[test]
fn combined_is_nginx_s() {
    let [a] = backends(["a"]);
    let gateway = logged("combined").upstream("api", [&a]).start();
    gateway.ask("GET /x?y HTTP/1.1\r\nHost: test\r\nReferer: http://here/\r\nUser-Agent: a \"b\"\r\n\r\n");

    let line = gateway.lines("access.log", 1).remove(0);
    let (client, rest) = line.split_once(" [").unwrap_or_default();
    let (time, rest) = rest.split_once("] ").unwrap_or_default();
    assert_eq!(client, "127.0.0.1 - -");
    assert_eq!((time.len(), &time[2..3], &time[11..12]), (26, "/", ":"), "28/Sep/2026:10:00:00 +0200");
    assert_eq!(rest, r#""GET /x?y HTTP/1.1" 200 1 "http://here/" "a \x22b\x22""#);
}

#[test]
fn a_format_may_use_any_variable() {
    let (nobody, [a]) = (refusing(), backends(["a"]));
    let gateway =
        logged("$request_method $host $status $upstream_name to: $upstream_addr ($upstream_status)")
            .upstream("api", [nobody.to_string(), a.to_string()])
            .policy("{ use = \"round_robin\", start = \"first\" }")
            .start();
    gateway.ask("GET / HTTP/1.1\r\nHost: Shop.Example:80\r\n\r\n");

    assert_eq!(
        gateway.lines("access.log", 1),
        [format!("GET shop.example 200 api to: {nobody}, {a} (502, 200)")]
    );
}

#[test]
fn times_are_seconds_with_milliseconds() {
    let [a] = backends(["a"]);
    let gateway = logged("$request_time $upstream_response_time").upstream("api", [&a]).start();
    gateway.get("/");

    let line = gateway.lines("access.log", 1).remove(0);
    for time in line.split(' ') {
        let (seconds, millis) = time.split_once('.').unwrap_or_default();
        assert!(
            seconds.parse::<u32>().is_ok() && millis.len() == 3 && millis.parse::<u32>().is_ok(),
            "{line}"
        );
    }
}

#[test]
fn json_is_json_whatever_clients_send() {
    let [a] = backends(["a"]);
    let gateway = logged("json").upstream("api", [&a]).start();
    gateway.ask("GET /x HTTP/1.1\r\nHost: test\r\nUser-Agent: \"\\ \u{e9}\t\r\n\r\n");
    gateway.get("/y");

    let lines = gateway.lines("access.log", 2);
    let parsed: Vec<serde_json::Value> = lines.iter().map(|l| serde_json::from_str(l).expect(l)).collect();
    assert_eq!(parsed[1]["status"], 200, "a number: {}", lines[1]);
    assert_eq!(parsed[1]["upstream_addr"], a.to_string());
}

#[test]
fn a_log_injects_no_lines() {
    let [a] = backends(["a"]);
    let gateway = logged("$request_uri [$http_x_odd]").upstream("api", [&a]).start();
    gateway.ask("GET /%0aevil HTTP/1.1\r\nHost: test\r\nX-Odd: a\tb\"\r\n\r\n");

    let lines = gateway.lines("access.log", 1);
    assert!(lines.iter().all(|l| l.starts_with("/%0aevil [") && !l.contains(['"', '\t'])), "{lines:?}");
}

#[test]
fn every_ending_has_a_line() {
    let backend = script();
    let gateway = logged("$request_uri $status")
        .route("path = \"/r\"\nupstream = \"api\"")
        .upstream("api", [&backend])
        .start();
    assert_eq!(gateway.get("/nowhere").status(), 404);
    let client = gateway.begin_get("/r/gone");
    let mut connection = backend.accept();
    connection.request();
    drop(client);
    assert!(connection.closes());

    assert_eq!(
        gateway.lines("access.log", 2),
        ["/nowhere 404", "/r/gone 499"],
        "499 as in nginx: the client left"
    );
}

/// The usual proof of balance: the last field of each line, sorted and counted.
#[test]
fn the_split_can_be_counted_with_awk() {
    let [a, b] = backends(["a", "b"]);
    let gateway = logged("$remote_addr \"$request\" $status to: $upstream_addr")
        .upstream("api", [a.entry("weight = 3"), b.entry("weight = 1")])
        .start();
    gateway.picks(40);
    gateway.lines("access.log", 40);

    let count =
        format!("awk '{{print $NF}}' {} | sort | uniq -c | sort -rn", gateway.file("access.log").display());
    let counted = run("sh", &["-c", &count], "").stdout;
    let words: Vec<_> = counted.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["30".into(), a.to_string(), "10".into(), b.to_string()]);
}

#[test]
fn a_rotated_log_is_reopened() {
    let [a] = backends(["a"]);
    let gateway = logged("$request_uri").upstream("api", [&a]).start();
    gateway.get("/before");
    gateway.lines("access.log", 1);

    std::fs::rename(gateway.file("access.log"), gateway.file("access.log.1")).expect("it is there");
    gateway.signal(Signal::USR1);
    eventually("a new file is there", || gateway.file("access.log").exists());
    gateway.get("/after");
    assert_eq!(gateway.lines("access.log", 1), ["/after"]);
}

#[test]
fn what_was_logged_survives_the_end() {
    let [a] = backends(["a"]);
    let mut gateway = logged("$request_uri").upstream("api", [&a]).start();
    gateway.picks(20);
    gateway.signal(Signal::QUIT);
    gateway.ends();

    assert_eq!(gateway.lines("access.log", 20).len(), 20);
}

#[test]
fn what_is_no_request_is_logged_as_refused() {
    let [a] = backends(["a"]);
    let gateway = logged("$status \"$request\" $upstream_addr").upstream("api", [&a]).start();
    gateway.begin("GET / HTTP/1.1\r\nHost : test\r\n\r\n").rest();

    assert_eq!(gateway.lines("access.log", 1), ["400 \"-\" -"]);
    gateway.says("400: the request is not valid HTTP: a field name");
}
