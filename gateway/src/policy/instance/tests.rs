//! Instances of real guests (`tests/guests/`), asked through the real host.

use std::thread;
use std::time::Instant;

use http::HeaderValue;

use super::*;
use crate::policy::guests::{self, born, pick};
use crate::policy::{Birth, BirthError, FaultKind, Limits, LoadError};
use crate::stats::{InFlight, Verdict};

fn outcome(verdict: Verdict) -> Outcome {
    Outcome { verdict, status: 0, connect: 0, first_byte: 0, total: 0, now: 1 }
}

fn refused_at_birth(guest: &str) -> BirthError {
    guests::load(guest).instantiate(guests::birth(3)).unwrap_err()
}

#[test]
fn every_kind_of_choice_comes_through() {
    assert_eq!(pick(&mut born("first")), Ok(Choice::Backend(0)));
    assert_eq!(pick(&mut born("abstains")), Ok(Choice::Abstain));
    assert_eq!(pick(&mut born("rejects")), Ok(Choice::Reject(429)));
}

#[test]
fn impossible_answers_are_faults() {
    assert_eq!(pick(&mut born("index_too_big")), Err(Fault::BadIndex(9999)));
    assert_eq!(pick(&mut born("bad_status")), Err(Fault::BadStatus(200)));
}

#[test]
fn a_trap_tells_why_and_where() {
    assert_eq!(
        pick(&mut born("traps")).unwrap_err().to_string(),
        "the policy trapped: wasm `unreachable` instruction executed in `give_up`"
    );
}

#[test]
fn a_stack_without_end_is_a_trap() {
    let Err(Fault::Trap(why)) = pick(&mut born("recursion")) else { panic!("no trap") };
    assert!(why.contains("stack"), "{why}");
}

#[test]
fn an_endless_pick_is_cut_at_its_deadline() {
    let mut instance = born("never_returns");
    let began = Instant::now();
    assert_eq!(pick(&mut instance), Err(Fault::Deadline));
    assert!(began.elapsed() >= Limits::default().pick);
}

#[test]
fn an_endless_init_is_cut_at_its_own_deadline() {
    let limits = Limits { init: Duration::from_millis(20), ..Limits::default() };
    let birth = Birth { limits, ..guests::birth(1) };
    let error = guests::load("init_never_returns").instantiate(birth).unwrap_err();
    assert_eq!(error, BirthError::Fault(Fault::Deadline));
}

#[test]
fn a_slow_pick_within_its_budget_is_no_fault() {
    let limits = Limits { pick: Duration::from_secs(10), ..Limits::default() };
    let mut instance = guests::load("slow").instantiate(Birth { limits, ..guests::birth(1) }).unwrap();
    for _ in 0..3 {
        assert_eq!(pick(&mut instance), Ok(Choice::Backend(0)));
    }
}

#[test]
fn memory_ends_where_the_limit_says() {
    // The pages that are granted are touched by nobody, so this costs address space only.
    let limits = Limits { memory: 4 << 20, pick: Duration::from_secs(10), ..Limits::default() };
    let mut instance = guests::load("eats_memory").instantiate(Birth { limits, ..guests::birth(1) }).unwrap();
    assert_eq!(pick(&mut instance), Err(Fault::Memory));
    assert!(instance.memory() <= limits.memory && instance.memory() > limits.memory / 2);
}

#[test]
fn a_guest_larger_than_its_limit_is_not_born() {
    let limits = Limits { memory: 1, ..Limits::default() };
    let error = guests::load("first").instantiate(Birth { limits, ..guests::birth(1) }).unwrap_err();
    assert_eq!(error.kind(), FaultKind::Memory);
}

#[test]
fn after_a_fault_an_instance_answers_nothing() {
    for guest in ["traps", "index_too_big", "bad_status"] {
        let mut instance = born(guest);
        pick(&mut instance).unwrap_err();
        assert!(instance.is_spent());
        assert_eq!(pick(&mut instance), Err(Fault::Gone), "{guest}");
    }
}

#[test]
fn what_init_refuses_is_told_in_its_own_words() {
    assert_eq!(refused_at_birth("init_fails"), BirthError::Refused("option `speed` is missing".into()));
}

#[test]
fn traps_during_birth_are_faults() {
    for guest in ["init_traps", "start_traps"] {
        assert_eq!(refused_at_birth(guest).kind(), FaultKind::Trap, "{guest}");
    }
}

#[test]
fn a_faulty_birth_leaves_the_policy_fit_for_another() {
    let policy = guests::load("first");
    let starved = Limits { memory: 1, ..Limits::default() };
    policy.instantiate(Birth { limits: starved, ..guests::birth(1) }).unwrap_err();
    assert_eq!(pick(&mut policy.instantiate(guests::birth(1)).unwrap()), Ok(Choice::Backend(0)));
}

#[test]
fn done_reaches_those_who_listen() {
    let mut instance = born("feedback");
    assert!(instance.wants_feedback());
    instance.done(2, &outcome(Verdict::Success)).unwrap();
    instance.done(1, &outcome(Verdict::ServerError)).unwrap();
    assert_eq!(pick(&mut instance), Ok(Choice::Backend(2)));
    assert!(!born("first").wants_feedback());
    assert_eq!(born("first").done(0, &outcome(Verdict::Success)), Ok(()));
}

#[test]
fn ticks_reach_those_with_a_period() {
    let mut instance = born("timer");
    assert_eq!(instance.period(), Some(Duration::from_millis(250)));
    assert_eq!(pick(&mut instance), Ok(Choice::Backend(0)));
    instance.tick(2).unwrap();
    assert_eq!(pick(&mut instance), Ok(Choice::Backend(1)));
    assert_eq!(born("first").period(), None);
}

#[test]
fn state_survives_into_the_next_instance() {
    let mut old = born("state");
    assert_eq!(pick(&mut old), Ok(Choice::Backend(1)));
    let saved = old.save().unwrap().unwrap();
    assert_eq!(saved, [1, 0, 0, 0]);
    let birth = Birth { state: Some(&saved), ..guests::birth(3) };
    let mut new = guests::load("state").instantiate(birth).unwrap();
    assert_eq!(pick(&mut new), Ok(Choice::Backend(0)), "the second pick of all");
    assert_eq!(born("first").save(), Ok(None));
}

#[test]
fn a_state_of_more_than_a_mebibyte_is_a_fault() {
    let mut instance = born("hoards_state");
    assert_eq!(instance.save().unwrap_err().kind(), FaultKind::Trap);
    assert!(instance.is_spent());
}

#[test]
fn a_policy_may_explain_itself() {
    let explain = |guest| born(guest).explain(&Ask::default(), &mut Facts::default()).unwrap();
    assert_eq!(explain("explain").as_deref(), Some("always the first"));
    assert_eq!(explain("first"), None);
}

#[test]
fn facts_are_lent_for_the_time_of_a_pick() {
    let mut instance = born("by_header");
    let mut facts = Facts::default();
    facts.headers.insert("x-backend", HeaderValue::from_static("2"));
    for _ in 0..3 {
        assert_eq!(instance.pick(&Ask::default(), &mut facts), Ok(Choice::Backend(2)));
        assert_eq!(facts.headers.len(), 1, "they are back in their place");
    }
    assert_eq!(pick(&mut instance), Ok(Choice::Abstain), "another request has no such header");
}

#[test]
fn what_was_tried_is_known_from_the_second_attempt_on() {
    let mut instance = born("counts_tried");
    let mut tried = |attempt, tried: &[u32]| {
        let mut facts = Facts { tried: tried.into(), ..Facts::default() };
        instance.pick(&Ask { attempt, now: 1, ..Ask::default() }, &mut facts)
    };
    assert_eq!(tried(0, &[]), Ok(Choice::Reject(400)));
    assert_eq!(tried(2, &[1, 0]), Ok(Choice::Reject(402)));
    assert_eq!(tried(0, &[]), Ok(Choice::Reject(400)), "another request");
}

#[test]
fn facts_come_back_after_a_fault_too() {
    let mut facts = Facts::default();
    facts.headers.insert("x-backend", HeaderValue::from_static("9"));
    let mut instance = born("by_header");
    assert_eq!(instance.pick(&Ask::default(), &mut facts), Err(Fault::BadIndex(9)));
    assert_eq!(facts.headers["x-backend"], "9");
}

#[test]
fn statistics_are_live() {
    let candidates = guests::candidates(3);
    let mut instance =
        guests::load("least_busy").instantiate(guests::birth_of(Arc::clone(&candidates))).unwrap();
    let begin = |index: usize| InFlight::begin(Arc::clone(&candidates.backends[index].stats), 1);
    let held = begin(0);
    assert_eq!(pick(&mut instance), Ok(Choice::Backend(1)));
    let _more = [begin(1), begin(2)];
    drop(held);
    assert_eq!(pick(&mut instance), Ok(Choice::Backend(0)));
}

#[test]
fn the_upstream_can_be_seen_in_init_and_not_later() {
    let candidates = guests::candidates_with_down(2, 1);
    let mut instance = guests::load("counts_members").instantiate(guests::birth_of(candidates)).unwrap();
    assert_eq!(pick(&mut instance), Ok(Choice::Reject(400 + 10 * 3)));
}

#[test]
fn numbers_stay_within_the_bits_that_every_language_can_read() {
    let most =
        Ask { key: u64::MAX, attempt: 0, random: u32::MAX, now: u64::MAX, body_length: Some(u64::MAX) };
    let bits = |attempt| match born("echoes").pick(&Ask { attempt, ..most }, &mut Facts::default()) {
        Ok(Choice::Reject(status)) => status - 400,
        other => panic!("{other:?}"),
    };
    assert_eq!([bits(0), bits(1), bits(2)], [53, 31, 53]);
}

#[test]
fn a_noisy_policy_picks_on() {
    let mut instance = born("talks");
    for _ in 0..100 {
        assert_eq!(pick(&mut instance), Ok(Choice::Backend(0)));
    }
}

#[test]
fn an_instance_is_prepared_on_one_thread_and_used_on_another() {
    let mut instance = thread::spawn(|| born("first")).join().unwrap();
    assert_eq!(pick(&mut instance), Ok(Choice::Backend(0)));
}

#[test]
fn bytes_in_use_are_compiled_once_and_forgotten_after() {
    let engine = crate::policy::Engine::new().unwrap();
    let load = |guest| Policy::load(&engine, guest, &guests::text(guest)).unwrap();
    let (one, two) = (load("first"), load("first"));
    assert!(Arc::ptr_eq(&one.compiled, &two.compiled));
    assert_eq!(one.version(), Policy::version_of(&guests::text("first")));
    drop((one, two));
    let _kept = load("abstains");
    assert_eq!(engine.remembered(), 1);
}

#[test]
fn a_file_cut_short_is_told_as_such() {
    let whole = crate::policy::to_component("first", &guests::text("first")).unwrap().into_owned();
    for length in [9, whole.len() / 2, whole.len() - 1] {
        let error = Policy::load(guests::engine(), "cut", &whole[..length]).unwrap_err();
        assert!(matches!(error, LoadError::Broken(_)), "{length}: {error}");
    }
}
