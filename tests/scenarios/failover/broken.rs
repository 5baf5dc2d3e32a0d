//! Accepted, then closed: what was sent decides whether the request may move on. Each position of
//! the failure, with a method that may be repeated and with one that may not.

use crate::harness::{Gateway, Script, Wire, backends, gateway, script};

const FIRST: &str = "{ use = \"round_robin\", start = \"first\" }";
const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";

/// A gateway whose first backend is played by the test, and whose second is well.
fn pair() -> (Script, crate::harness::Backend, Gateway) {
    let (bad, [good]) = (script(), backends(["good"]));
    let gateway = gateway().upstream("api", [bad.to_string(), good.to_string()]).policy(FIRST).start();
    (bad, good, gateway)
}

/// Sends `request`, lets the first backend fail as `fail` says; status and name of the answerer.
fn after(request: &str, fail: impl FnOnce(Wire)) -> (u16, String, usize) {
    let (bad, good, gateway) = pair();
    let mut client = gateway.begin(request);
    fail(bad.accept());
    let answer = client.answer();
    assert!(bad.try_accept().is_none(), "the same backend is not tried twice");
    (answer.status(), answer.backend(), good.hits())
}

fn after_the_request(mut connection: Wire) {
    connection.request();
}

fn by_a_reset(mut connection: Wire) {
    connection.request();
    connection.reset();
}

fn inside_the_head(mut connection: Wire) {
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Le");
}

/// Where a backend can fail that has received a request.
const PLACES: [(&str, fn(Wire)); 3] = [
    ("after the request", after_the_request),
    ("after the request, by a reset", by_a_reset),
    ("inside the head of its answer", inside_the_head),
];

#[test]
fn a_get_moves_on_from_every_failure_before_the_answer() {
    for (place, fail) in PLACES {
        assert_eq!(after(GET, fail), (200, "good".into(), 1), "{place}");
    }
}

#[test]
fn a_post_that_was_received_moves_nowhere() {
    for (place, fail) in PLACES {
        assert_eq!(after(POST, fail), (502, String::new(), 0), "{place}");
    }
}

#[test]
fn methods_that_may_be_repeated_are() {
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE"] {
        let (bad, good, gateway) = pair();
        let mut client = gateway.begin(&format!("{method} / HTTP/1.1\r\nHost: test\r\n\r\n"));
        bad.accept().request();
        let answer = if method == "HEAD" { client.answer_to_head() } else { client.answer() };
        assert_eq!((answer.status(), good.only_request().method()), (200, method));
    }
}

#[test]
fn methods_that_may_not_be_repeated_are_not() {
    for method in ["POST", "PATCH", "LOCK", "INVENTED"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(after(&request, after_the_request), (502, String::new(), 0), "{method}");
    }
}

#[test]
fn a_put_moves_on_whole_or_not_at_all() {
    let (bad, good, gateway) = pair();
    let mut client = gateway.begin("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    bad.accept().request();

    let status = client.answer().status();
    assert!(matches!((status, good.hits()), (200, 1) | (502, 0)), "{status}, {} hits", good.hits());
    assert!(good.requests().iter().all(|r| r.text() == "hello"));
}

#[test]
fn nothing_moves_once_the_client_has_seen_a_byte() {
    let (bad, good, gateway) = pair();
    let mut client = gateway.begin(GET);
    let mut connection = bad.accept();
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
    client.head();
    drop(connection);

    assert_eq!((client.rest(), good.hits()), (b"half".to_vec(), 0));
}

#[test]
fn an_error_of_a_backend_is_its_answer() {
    let (bad, good, gateway) = pair();
    let mut client = gateway.begin(GET);
    let mut connection = bad.accept();
    connection.request();
    connection.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy");

    assert_eq!((client.answer().text().as_str(), good.hits()), ("busy", 0));
    crate::harness::eventually("counted", || gateway.backend("api", &bad, "server_error") == 1);
}

#[test]
fn no_request_is_ever_seen_twice_unless_it_may_be() {
    let [a, b] = ["a", "b"].map(|name| {
        let turn = std::sync::atomic::AtomicUsize::new(0);
        crate::harness::backend(name, move |_| {
            match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 3 {
                0 => Vec::new(),
                _ => crate::harness::ok(name),
            }
        })
    });
    let gateway = gateway().upstream("api", [&a, &b]).start();
    for i in 0..30 {
        let status =
            gateway.ask(&format!("POST /{i} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")).status();
        assert!(matches!(status, 200 | 502), "{status}");
    }

    let mut seen: Vec<_> =
        [a.requests(), b.requests()].concat().iter().map(|r| r.target().to_owned()).collect();
    seen.sort();
    let all = seen.len();
    seen.dedup();
    assert_eq!((seen.len(), all), (30, 30), "each once");
}
