//! `mode = "redirect"`: clients are sent to the backend that was picked.

use crate::harness::{counts, gateway};

const TWO: [&str; 2] = [
    "{ address = \"127.0.0.1:1\", public = \"https://a.example/app/\", weight = 2 }",
    "{ address = \"127.0.0.1:2\", public = \"https://b.example\" }",
];

#[test]
fn the_policy_picks_where_clients_are_sent() {
    let gateway = gateway()
        .upstream("far", TWO)
        .with("mode = \"redirect\"")
        .policy("{ use = \"round_robin\", start = \"first\" }")
        .start();
    let answers: Vec<_> = (0..6).map(|_| gateway.get("/x%20y?q=1")).collect();

    assert!(
        answers.iter().all(|answer| answer.status() == 302 && answer.field("cache-control") == "no-store")
    );
    let locations: Vec<_> = answers.iter().map(|answer| answer.field("location")).collect();
    let locations = locations.iter().map(String::as_str);
    assert_eq!(
        counts(locations),
        [("https://a.example/app/x%20y?q=1", 4), ("https://b.example/x%20y?q=1", 2)]
    );
    assert_eq!(gateway.backend("far", &"127.0.0.1:1", "attempts"), 4);
}

#[test]
fn a_method_that_must_stay_gets_307_unless_told_otherwise() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
    let usual = gateway().upstream("far", TWO).with("mode = \"redirect\"").start();
    assert_eq!(usual.ask(post).status(), 307);
    let told = gateway().upstream("far", TWO).with("mode = \"redirect\"\nredirect_status = 303").start();
    assert_eq!((told.ask(post).status(), told.get("/").status()), (303, 303));
}

#[test]
fn hashing_sends_the_same_client_to_the_same_backend() {
    let gateway = gateway()
        .section("[log]\naccess = \"access.log\"\nformat = \"$status $upstream_addr $upstream_status\"")
        .upstream("far", ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"])
        .with("mode = \"redirect\"\nhash_key = \"$arg_user\"")
        .policy("hash")
        .start();
    let places: Vec<_> = (0..3).map(|_| gateway.get("/?user=7").field("location")).collect();

    assert!(
        places[0].starts_with("http://127.0.0.1:") && places.iter().all(|place| *place == places[0]),
        "{places:?}"
    );
    let line = gateway.lines("access.log", 3).remove(0);
    let backend = places[0].trim_start_matches("http://").trim_end_matches("/?user=7");
    assert_eq!(line, format!("302 {backend} 302"));
}

#[test]
fn a_rewrite_says_the_path() {
    let gateway = gateway()
        .route("path = \"/old/\"\nrewrite = \"/new/\"\nupstream = \"far\"")
        .upstream("far", ["127.0.0.1:1"])
        .with("mode = \"redirect\"")
        .start();

    assert_eq!(gateway.get("/old/x?y").field("location"), "http://127.0.0.1:1/new/x?y");
}
