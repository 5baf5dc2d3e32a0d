//! Much of what costs a client little: the gateway ends such connections or bears them, and
//! others are served meanwhile.

use crate::harness::h2::{ACK, CONTINUATION, DATA, HEADERS, PING, PRIORITY, SETTINGS, WINDOW_UPDATE};
use crate::harness::{Backend, End, Gateway, H2, backends, eventually, gateway};

fn started() -> (Backend, Gateway) {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nsend_timeout = \"200ms\"").upstream("api", [&a]).start();
    assert_eq!(gateway.get("/").status(), 200);
    (a, gateway)
}

/// The gateway has grown by less than 16 MiB, and serves.
#[track_caller]
fn unharmed(gateway: &Gateway, before: u64) {
    assert_eq!(gateway.get("/").status(), 200);
    let now = gateway.memory();
    assert!(now < before + (16 << 10), "{before} grew to {now} KiB");
}

#[test]
fn a_rapid_reset_reaches_the_backend_a_few_times_at_most() {
    let (a, gateway) = started();
    let before = gateway.memory();
    let mut client = H2::on(gateway.client());
    for stream in (1..8_000).step_by(2) {
        client.get(stream, "/reset", &[]);
        if !client.reset(stream) {
            break;
        }
    }

    unharmed(&gateway, before);
    assert!(a.hits() < 400, "{} of 4000", a.hits());
}

#[test]
fn windows_that_break_the_rules_end_the_connection() {
    let (_a, gateway) = started();
    let before = gateway.memory();
    let mut client = H2::on(gateway.client());
    for stream in (1..4_000).step_by(2) {
        client.get(stream, "/made-you-reset", &[]);
        // An increment of 0 is an error of the stream (RFC 9113 section 6.9).
        if client.flood(WINDOW_UPDATE, 0, stream, &[0; 4], 1) == 0 {
            break;
        }
    }

    unharmed(&gateway, before);
    assert!(matches!(client.end_of(9_999), End::Over(_)));
}

#[test]
fn a_head_without_end_ends_the_connection() {
    let (_a, gateway) = started();
    let before = gateway.memory();
    for piece in [&b"\0\x01a\x01b".repeat(1_000)[..], b""] {
        let mut client = H2::on(gateway.client());
        client.flood(HEADERS, 0, 1, &[0x82, 0x86, 0x84], 1);
        client.flood(CONTINUATION, 0, 1, piece, 20_000);
        assert!(matches!(client.end_of(1), End::Over(_)));
    }

    unharmed(&gateway, before);
}

/// A field goes into the table and is then named 10,000 times by a byte each. No window is open
/// for an answer.
#[track_caller]
fn is_counted_in_full(field: &[u8]) {
    let (a, gateway) = started();
    let (before, hits) = (gateway.memory(), a.hits());
    const INITIAL_WINDOW: u16 = 4;
    let mut client = H2::with_settings(gateway.client(), &[(INITIAL_WINDOW, 0)]);
    let authority = [&[0x01, 4][..], b"test"].concat();
    let block = [&[0x82, 0x86, 0x84][..], &authority, field, &[0xbe; 10_000]].concat();
    client.flood(HEADERS, 0x5, 1, &block, 1);

    assert_ne!(client.end_of(1), End::Answered(200));
    unharmed(&gateway, before);
    assert_eq!(a.hits(), hits + 1, "only the one that shows that it serves");
}

#[test]
fn one_field_named_by_many_bytes_is_counted_in_full() {
    is_counted_in_full(&[&[0x40, 1, b'x', 127, 0xa1, 0x1e][..], &[b'y'; 4_000]].concat());
}

#[test]
fn a_tiny_field_is_counted_with_what_it_costs() {
    is_counted_in_full(&[0x40, 1, b'x', 1, b'y']);
}

#[test]
fn cookie_crumbs_are_counted_each() {
    // `cookie` is field 32 of the static table.
    is_counted_in_full(&[0x60, 3, b'a', b'=', b'1']);
}

#[test]
fn pieces_of_nothing_are_borne_or_end_the_connection() {
    let (_a, gateway) = started();
    let before = gateway.memory();
    let mut client = H2::on(gateway.client());
    client.request(1, "POST", "/", &[], false);
    client.flood(DATA, 0, 1, &[], 50_000);

    unharmed(&gateway, before);
}

#[test]
fn a_head_that_stops_is_not_waited_for_for_ever() {
    let [a] = backends(["a"]);
    let gateway = gateway().section("[limits]\nheader_timeout = \"200ms\"").upstream("api", [&a]).start();
    let mut silent = H2::on(gateway.client());
    let mut half = H2::on(gateway.client());
    half.flood(HEADERS, 0, 1, &[0x82, 0x86, 0x84], 1);

    assert!(matches!(silent.end_of(1), End::Over(_)) && matches!(half.end_of(1), End::Over(_)));
    assert_eq!(a.connections(), 0);
}

#[test]
fn frames_that_mean_nothing_are_borne_or_end_the_connection() {
    let (_a, gateway) = started();
    let before = gateway.memory();
    for (kind, stream, payload) in [(PING, 0, &[0; 8][..]), (SETTINGS, 0, &[]), (PRIORITY, 1, &[0; 5])] {
        // Nothing of what the gateway answers is read.
        H2::on(gateway.client()).flood(kind, 0, stream, payload, 50_000);
    }

    unharmed(&gateway, before);
}

#[test]
fn answers_to_pings_that_nobody_sent_fill_no_log() {
    let (_a, gateway) = started();
    let before = gateway.log();
    let mut client = H2::on(gateway.client());
    client.flood(PING, ACK, 0, &[7; 8], 1_000);
    client.get(1, "/", &[]);

    client.end_of(1);
    assert_eq!(gateway.log(), before);
}

#[test]
fn a_window_that_never_opens_is_not_waited_for_for_ever() {
    let (a, gateway) = started();
    const INITIAL_WINDOW: u16 = 4;
    let mut client = H2::with_settings(gateway.client(), &[(INITIAL_WINDOW, 0)]);
    client.get(1, "/", &[]);

    assert_eq!(client.end_of(1), End::Over(None));
    eventually("nothing is in flight", || gateway.backend("api", &a, "in_flight") == 0);
}
