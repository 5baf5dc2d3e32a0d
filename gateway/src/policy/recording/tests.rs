//! From an instance that serves to a file, and back.

use std::time::Duration;

use super::super::guests;
use super::*;
use crate::policy::{Beside, Facts, Limits, Picker, Policy, Roster, Rules, builtin};
use crate::stats::InFlight;
use crate::upstream::Candidates;
use std::sync::Arc;

/// A picker over three backends whose policy is being recorded, and where the lines arrive.
fn recorded(policy: &Arc<Policy>, options: &'static str, requests: u64) -> (Picker, Arc<Candidates>, Lines) {
    let (recorders, lines) = Session::open(requests, 1 << 20, false);
    let candidates = guests::candidates(3);
    let birth = super::super::Birth { options, ..guests::birth_of(Arc::clone(&candidates)) };
    let (instance, recorder) = recorders.born(policy, &birth, 0, 1_000_000).unwrap();
    let roster = Arc::new(Roster::new("chat".into(), Rules::default(), 1));
    roster.serve(Arc::clone(policy), 1);
    let picker = Picker::new(Arc::clone(&candidates), Some(instance), roster, 0, 1, Arc::new(|_| ()));
    (picker.with(Beside::new(Some(recorder), None, Vec::new())), candidates, lines)
}

/// Lets `count` requests be picked for while others are in flight and end.
fn serve(picker: &mut Picker, candidates: &Candidates, count: u32) {
    let mut in_flight = Vec::new();
    let mut facts = Facts { host: b"example.org"[..].into(), ..Facts::default() };
    for number in 0..count {
        let now = 2_000_000 + u64::from(number) * 700;
        let random = number.wrapping_mul(0x9e37_79b9) >> 1;
        facts.target = format!("/{number}").parse().unwrap();
        let ask = Ask { key: number.into(), random, now, ..Ask::default() };
        if let crate::policy::Decision::Candidate(index) = picker.pick(ask, &mut facts) {
            let counters = &candidates.counters[index as usize];
            in_flight.push((index, InFlight::begin(Arc::clone(counters), now)));
            if number % 3 == 0 {
                let (index, guard) = in_flight.remove(0);
                let verdict = Verdict::ALL[number as usize % 4];
                let total = 900 * (index + 1);
                let outcome = Outcome { verdict, status: 200, connect: 0, first_byte: 1, total, now };
                counters.record(&outcome, &candidates.stats);
                picker.done(index, 1, &outcome);
                drop(guard);
            }
        }
        if number % 10 == 0 {
            picker.tick(now);
        }
    }
}

fn gathered(lines: Lines, policy: &Policy, options: &str) -> (Recording, Summary) {
    let summary = lines.gather("chat", policy, options, Duration::ZERO);
    (Recording::read(&summary.text).unwrap(), summary)
}

fn built_in(name: &str) -> Arc<Policy> {
    Policy::load(guests::engine(), name, builtin(name).unwrap().bytes).unwrap()
}

#[test]
fn every_built_in_makes_the_recorded_choices_again() {
    for builtin in crate::policy::BUILTINS {
        let policy = built_in(builtin.name);
        let (mut picker, candidates, lines) = recorded(&policy, "{}", 1_000);
        serve(&mut picker, &candidates, 300);
        let (recording, summary) = gathered(lines, &policy, "{}");
        assert_eq!((recording.picks().count(), summary.requests, summary.full), (300, 300, false));
        let replayed = recording.replay(&policy, "{}", Limits::default()).unwrap();
        assert!(replayed.is_same(), "{}: {replayed:?}", builtin.name);
    }
}

#[test]
fn what_was_read_does_not_come_from_the_live_statistics() {
    let policy = built_in("least_conn");
    let (mut picker, candidates, lines) = recorded(&policy, "{}", 1_000);
    serve(&mut picker, &candidates, 50);
    let (mut recording, _) = gathered(lines, &policy, "{}");
    for event in &mut recording.events {
        if let Event::Pick(pick) = event {
            pick.stats = Changes::default();
        }
    }
    let replayed = recording.replay(&policy, "{}", Limits::default()).unwrap();
    assert!(!replayed.is_same(), "without its statistics the policy must go astray");
    assert!(replayed.first.is_some());
}

#[test]
fn another_policy_is_compared_with_what_was_recorded() {
    let policy = built_in("round_robin");
    let (mut picker, candidates, lines) = recorded(&policy, "{}", 1_000);
    serve(&mut picker, &candidates, 99);
    let (recording, _) = gathered(lines, &policy, "{}");
    let replayed = recording.replay(&guests::load("first"), "{}", Limits::default()).unwrap();
    assert_eq!((replayed.picks, replayed.same), (99, 33));
    let chosen: Vec<_> = replayed.chosen.iter().map(|(_, recorded, now)| (*recorded, *now)).collect();
    assert_eq!(chosen, [(33, 99), (33, 0), (33, 0)]);
}

#[test]
fn a_recording_ends_with_its_last_request_and_the_instance_goes_on() {
    let policy = guests::load("first");
    let (mut picker, candidates, lines) = recorded(&policy, "{}", 5);
    serve(&mut picker, &candidates, 20);
    let (recording, summary) = gathered(lines, &policy, "{}");
    assert_eq!((recording.picks().count(), summary.requests), (5, 5));
    let mut facts = Facts::default();
    assert_eq!(
        picker.pick(Ask { now: 9, ..Ask::default() }, &mut facts),
        crate::policy::Decision::Candidate(0)
    );
}

#[test]
fn a_recording_that_grows_too_large_ends_and_says_so() {
    let policy = guests::load("first");
    let (recorders, lines) = Session::open(1_000, 3_000, false);
    let candidates = guests::candidates(3);
    let (instance, recorder) =
        recorders.born(&policy, &guests::birth_of(Arc::clone(&candidates)), 0, 1).unwrap();
    let roster = Arc::new(Roster::new("chat".into(), Rules::default(), 1));
    let picker = Picker::new(Arc::clone(&candidates), Some(instance), roster, 0, 1, Arc::new(|_| ()));
    let mut picker = picker.with(Beside::new(Some(recorder), None, Vec::new()));
    serve(&mut picker, &candidates, 100);
    let (recording, summary) = gathered(lines, &policy, "{}");
    assert!(summary.full && summary.text.len() < 3_500, "{}", summary.text.len());
    assert!(recording.picks().count() > 2);
}

#[test]
fn a_fault_is_recorded_and_happens_again() {
    let policy = guests::load("traps");
    let (mut picker, candidates, lines) = recorded(&policy, "{}", 100);
    serve(&mut picker, &candidates, 3);
    drop(picker);
    let (recording, _) = gathered(lines, &policy, "{}");
    assert_eq!(
        recording.picks().map(|pick| pick.answer.clone()).collect::<Vec<_>>(),
        [Answer::Fault("trap".into())]
    );
    let replayed = recording.replay(&policy, "{}", Limits::default()).unwrap();
    assert_eq!((replayed.is_same(), replayed.faults), (true, 1));
}

#[test]
fn header_fields_are_kept_for_policies_that_read_them() {
    let kept = |guest: &str| {
        let policy = guests::load(guest);
        let (mut picker, _, lines) = recorded(&policy, "{}", 10);
        let mut facts = Facts::default();
        facts.headers.insert("x-backend", "2".parse().unwrap());
        facts.headers.insert("authorization", "secret".parse().unwrap());
        picker.pick(Ask { now: 5_000_000, ..Ask::default() }, &mut facts);
        let (recording, _) = gathered(lines, &policy, "{}");
        let pick = recording.picks().next().unwrap().clone();
        assert_eq!(recording.header.headers, !pick.request.headers.is_empty());
        pick.answer == Answer::Backend(2)
            && recording.replay(&policy, "{}", Limits::default()).unwrap().is_same()
    };
    assert!(kept("by_header"));
    assert!(!kept("first"));
}

#[test]
fn a_pick_is_explained_with_the_candidates_in_order() {
    let policy = built_in("least_conn");
    let (mut picker, candidates, lines) = recorded(&policy, "{}", 1_000);
    let _busy: Vec<_> =
        [0, 0, 2].map(|i: usize| InFlight::begin(Arc::clone(&candidates.counters[i]), 1)).into();
    let mut facts = Facts { target: "/a".parse().unwrap(), ..Facts::default() };
    picker.pick(Ask { now: 5_000_000, ..Ask::default() }, &mut facts);
    let (recording, _) = gathered(lines, &policy, "{}");
    let explained = recording.explain(&policy, 0).unwrap();
    let order: Vec<_> = explained.candidates.iter().map(|c| (c.rank, c.index, c.in_flight)).collect();
    assert_eq!(order, [(Some(1), 1, 0), (Some(2), 2, 1), (Some(3), 0, 2)]);
    assert_eq!(
        (explained.choice.as_str(), explained.request.target.as_str()),
        ("10.0.0.2:80 (candidate 1)", "/a")
    );
    assert!(recording.explain(&policy, 1).unwrap_err().contains("has 1 picks"));
    assert!(recording.explain(&guests::load("first"), 0).unwrap_err().contains("not the version"));
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    let error = |text: &str| Recording::read(text).unwrap_err();
    assert!(error("nonsense").starts_with("this is not a recording"));
    let header = Header {
        recording: FORMAT,
        gateway: "1".into(),
        upstream: "u".into(),
        policy: "p".into(),
        version: "v".into(),
        options: "{}".into(),
        headers: false,
    };
    let first = |header: &Header| serde_json::to_string(header).unwrap();
    assert!(error(&format!("{}\n{{\"pack\":1}}\n", first(&header))).starts_with("line 2: "));
    let later = Header { recording: 9, ..header };
    assert!(error(&first(&later)).contains("format 9"), "{}", error(&first(&later)));
}

#[test]
fn fuzz_recording() {
    let policy = built_in("round_robin");
    let words = [
        "{\"recording\":",
        "\"pick\":",
        "\"born\":",
        "\"done\":",
        "\"instance\":",
        "4294967295",
        "18446744073709551615",
        "-1",
        "null",
        "[]",
        "\n",
        "\"candidate\":",
    ];
    crate::fuzz::fuzz_times(500, "recording", &words, |input| {
        let text = String::from_utf8_lossy(input);
        match Recording::read(&text) {
            // Whatever it says: no panic, and an answer.
            Ok(recording) => {
                drop(recording.replay(&policy, "{}", Limits::default()));
                drop(recording.explain(&policy, 0));
            }
            Err(why) => assert!(why.starts_with("line ") || why.starts_with("this is "), "{why}"),
        }
    });
}
