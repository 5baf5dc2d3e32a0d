//! Files that never come into force: what is wrong with them is said before a request meets them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Finished, backends, eventually, gateway, guest, pointsman};

/// What each bad file of `tests/guests` is refused for.
const BAD: [(&str, &str); 18] = [
    ("bad_status", "200"),
    ("eats_memory", "memory"),
    ("half_state", "restore"),
    ("hoards_state", "state"),
    ("index_too_big", "9999"),
    ("init_fails", "option `speed` is missing"),
    ("init_never_returns", "deadline"),
    ("init_traps", "trap"),
    ("misspelt", "misspelt.wat"),
    ("never_returns", "deadline"),
    ("no_policy", "pointsman:policy/policy"),
    ("recursion", "trap"),
    ("start_traps", "trap"),
    ("traps", "trap"),
    ("wants_sockets", "wasi:sockets"),
    ("wants_the_clock", "wasi:clocks"),
    ("wrong_shape", "pick"),
    ("wrong_version", "0.1.0"),
];

/// The good ones; what they can do is told by the scenarios of policies.
const GOOD: [&str; 14] = [
    "abstains",
    "by_header",
    "counts_members",
    "counts_tried",
    "echoes",
    "explain",
    "feedback",
    "first",
    "least_busy",
    "rejects",
    "slow",
    "state",
    "talks",
    "timer",
];

/// No policy by itself: the unit tests of the gateway pack it into a component.
const PARTS: [&str; 1] = ["uses_wasi"];

/// Checks a configuration whose upstream wants this one of `tests/guests`.
fn checked(name: &str) -> Finished {
    let list = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"];
    // Generous, so that only what never returns is too slow, on whatever machine.
    let plan = gateway()
        .section("[sandbox]\npick_deadline = \"500ms\"")
        .guest(name)
        .upstream("api", list)
        .policy(name)
        .write();
    pointsman(&["check", "-c", &plan.path().display().to_string()])
}

#[test]
fn every_bad_policy_is_refused_for_what_is_wrong_with_it() {
    let wrong: Vec<_> = BAD
        .into_iter()
        .map(|(name, words)| (name, words, checked(name)))
        .filter(|(name, words, f)| f.code != 1 || !f.stderr.contains(words) || !f.stderr.contains(name))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_good_policy_passes() {
    let wrong: Vec<_> =
        GOOD.map(|name| (name, checked(name))).into_iter().filter(|(_, f)| f.code != 0).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_guest_stands_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let files = std::fs::read_dir(folder).expect("the guests are there").flatten().map(|file| file.path());
    let names = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let known = BAD.map(|(name, _)| name).into_iter().chain(GOOD).chain(PARTS).map(str::to_owned);
    assert_eq!(names.collect::<BTreeSet<_>>(), known.collect());
}

#[test]
fn a_bad_file_beside_a_running_gateway_changes_nothing() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", guest::always(1))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    let version = gateway.policy("api")["version"].clone();

    for bad in
        [guest::picking("(unreachable)"), "(module".into(), guest::refusing_init("never"), guest::always(7)]
    {
        let before = gateway.log().len();
        gateway.write("policies/mine.wat", &bad);
        eventually("the gateway says why not", || gateway.log()[before..].contains("mine"));
        assert_eq!(gateway.picks(3), ["b"; 3]);
        assert_eq!(gateway.policy("api")["version"], version);
    }
}
