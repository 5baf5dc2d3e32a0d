//! `pointsman policy record` and `explain`: picks of the running gateway, written down.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::harness::{Finished, Gateway, backends, gateway, guest, pointsman};

/// Runs a command that waits for requests, and sends requests until it has ended.
fn under_load(gateway: &Gateway, arguments: &[&str]) -> Finished {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let command = scope.spawn(|| {
            let finished = gateway.run(arguments);
            ended.store(true, Relaxed);
            finished
        });
        while !ended.load(Relaxed) {
            gateway.picks(5);
        }
        command.join().expect("the command does not panic")
    })
}

fn recorded(gateway: &Gateway, more: &[&str]) -> (Finished, String) {
    let file = gateway.file("picks.jsonl").display().to_string();
    let finished = under_load(gateway, &[&["policy", "record", "-n", "200", "-o", &file], more].concat());
    (finished, file)
}

#[test]
fn a_recorded_policy_makes_the_same_choices_again() {
    let [a, b, c] = backends(["a", "b", "c"]);
    for policy in ["least_conn", "{ use = \"random\", choices = 2 }", "fair"] {
        let gateway = gateway().top("workers = 2").upstream("api", [&a, &b, &c]).policy(policy).start();
        let (finished, file) = recorded(&gateway, &[]);
        assert_eq!(finished.code, 0, "{finished:?}");
        let name = policy.split('"').nth(1).unwrap_or(policy);
        let replayed = pointsman(&["policy", "simulate", "--recording", &file, "-p", name]);
        assert_eq!(replayed.code, 0, "{replayed:?}");
        assert!(replayed.stdout.contains(" 100.00 %"), "{replayed:?}");
    }
}

#[test]
fn a_policy_is_tested_by_what_was_recorded() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let policy = "{ use = \"random\", choices = 2 }";
    let gateway = gateway().upstream("api", [&a, &b, &c]).policy(policy).start();
    let (_, file) = recorded(&gateway, &[]);
    let test =
        |policy: &str| pointsman(&["policy", "test", policy, "--only", "trial,replay", "--replay", &file]);

    let same = test("random");
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.stdout.contains("recorded picks, the same choices"), "{same:?}");
    let other = test("round_robin");
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.stdout.contains("FAILED  replay") && other.stdout.contains(" instead of "), "{other:?}");
    let accepted =
        pointsman(&["policy", "test", "p2c", "--only", "replay", "--accept", "replay", "--replay", &file]);
    assert_eq!(accepted.code, 0, "{accepted:?}");
}

#[test]
fn a_recording_that_is_none_is_refused_before_anything_is_tried() {
    let plan = gateway().file("picks.jsonl", "{\"recording\":99}\n");
    let file = plan.folder().join("picks.jsonl").display().to_string();
    for (file, code) in [(file.as_str(), 1), ("nowhere.jsonl", 3)] {
        let finished = pointsman(&["policy", "test", "random", "--replay", file]);
        assert_eq!(finished.code, code, "{finished:?}");
        assert!(finished.stderr.contains(file) && finished.stdout.is_empty(), "{finished:?}");
    }
}

#[test]
fn a_recording_that_ends_early_says_why() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let file = gateway.file("picks.jsonl").display().to_string();
    let finished = under_load(&gateway, &["policy", "record", "-n", "1000000", "--for", "1", "-o", &file]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stderr.contains("no more came in time"), "{finished:?}");
}

#[test]
fn the_gateway_goes_on_after_a_recording_and_records_again() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    for _ in 0..2 {
        assert_eq!(recorded(&gateway, &[]).0.code, 0);
    }
    let before = (a.hits(), b.hits());
    gateway.picks(10);
    assert_eq!((a.hits() - before.0, b.hits() - before.1), (5, 5));
    assert_eq!(gateway.count("api", "fallbacks"), 0);
}

#[test]
fn what_was_learnt_survives_the_beginning_and_the_end_of_a_recording() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/counts.wat", include_str!("../../guests/state.wat"))
        .upstream("api", [&a, &b])
        .policy("counts")
        .start();
    gateway.picks(3);
    let (finished, file) = recorded(&gateway, &[]);
    assert_eq!(finished.code, 0, "{finished:?}");
    let text = std::fs::read_to_string(&file).expect("a recording");
    assert!(text.lines().nth(1).is_some_and(|born| born.contains("\"state\":\"")), "{text}");
}

#[test]
fn a_recording_is_for_its_owner_only_and_keeps_no_headers_unasked() {
    use std::os::unix::fs::PermissionsExt;
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let (_, file) = recorded(&gateway, &[]);
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    assert!(!std::fs::read_to_string(&file).expect("text").contains("\"headers\":["));
    let (_, file) = recorded(&gateway, &["--headers"]);
    assert!(std::fs::read_to_string(&file).expect("text").contains("\"headers\":[["));
}

#[test]
fn a_live_pick_is_explained() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", include_str!("../../guests/explain.wat"))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    let finished = under_load(&gateway, &["policy", "explain"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    for part in ["because   always the first", &format!("choice    {a}"), "   1  "] {
        assert!(finished.stdout.contains(part), "{part}: {finished:?}");
    }
}

#[test]
fn an_arriving_recording_can_be_simulated() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    let (_, file) = recorded(&gateway, &[]);
    let finished =
        pointsman(&["policy", "simulate", "-s", "homog70", "--arrivals", &file, "-p", "random", "--json"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("\"requests\": 190"), "{finished:?}");
}

#[test]
fn without_requests_there_is_nothing_to_explain() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let finished = gateway.run(&["policy", "explain", "--for", "1"]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("no request was picked for"), "{finished:?}");
}

#[test]
fn an_unknown_upstream_is_answered_with_those_there_are() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .file("policies/second.wat", guest::always(0))
        .upstream("api", [&a])
        .upstream("web", [&a])
        .start();
    let file = gateway.file("picks.jsonl").display().to_string();
    let finished = gateway.run(&["policy", "record", "-u", "app", "-o", &file]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("there are: api, web"), "{finished:?}");
    let finished = gateway.run(&["policy", "record", "-o", &file]);
    assert!(finished.stderr.contains("say which upstream: api, web"), "{finished:?}");
}
