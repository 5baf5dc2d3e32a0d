//! The kit behind `pointsman policy test`: what ships passes, and each guest that lacks a property
//! fails for that and for nothing else.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use pointsman::kit::{Card, Verdict, Wishes, examine, properties};
use pointsman::policy::{BUILTINS, Engine, Limits, builtin};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

/// Generous: on a busy machine only what never returns is too slow.
fn limits() -> Limits {
    Limits { pick: Duration::from_millis(200), init: Duration::from_secs(10), ..Limits::default() }
}

fn card_of(name: &str, bytes: &[u8], options: &str, only: &[&str]) -> Card {
    let only = only.iter().map(|name| (*name).to_owned()).collect();
    let wishes = Wishes { options: options.into(), limits: limits(), only, ..Wishes::default() };
    examine(&ENGINE, name, bytes, &wishes)
}

/// What the kit says about this guest's one property.
fn verdict(guest: &str, property: &str) -> (Verdict, String) {
    let card = card_of("guest", guest.as_bytes(), "{}", &[property]);
    let check = &card.checks[0];
    (check.verdict, check.happened.clone())
}

#[track_caller]
fn fails(guest: &str, property: &str, words: &str) {
    let (verdict, happened) = verdict(guest, property);
    assert_eq!(verdict, Verdict::Failed, "{property}: {happened}");
    assert!(happened.contains(words), "{property}: {happened}");
}

/// A guest in WAT with these imports, this `pick` and these other fields. `$count` is the number
/// of candidates, `$backend` answers with one, `$abstain` with none.
fn guest(imports: &str, pick: &str, others: &str) -> String {
    format!(
        r#"(module
  {imports}
  (memory (export "memory") 128)
  (global $free (mut i32) (i32.const 4096))
  (global $count (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get 3))))
  (func $backend (param $index i32) (result i32)
    (i32.store8 (i32.const 32) (i32.const 0))
    (i32.store (i32.const 36) (local.get $index))
    (i32.const 32))
  (func $abstain (result i32) (i32.store8 (i32.const 32) (i32.const 1)) (i32.const 32))
  (func (export "pointsman:policy/policy@0.1.0#init")
      (param $options i32) (param $options_length i32) (param i32) (param $n i32) (param i64) (result i32)
    (global.set $count (local.get $n))
    (i32.const 16))
  (func (export "pointsman:policy/policy@0.1.0#pick") (param $key i64) (param $attempt i32) (param $random i32)
      (param $now i64) (param $has_length i32) (param $length i64) (result i32)
    (local $i i32) (local $best i32)
    {pick})
  {others})"#
    )
}

/// Any candidate by lot, retries included.
const BY_LOT: &str = "(call $backend (i32.rem_u (local.get $random) (global.get $count)))";

/// The least of what `$of` says of each candidate; abstains at retries.
const LEAST: &str = "
    (if (local.get $attempt) (then (return (call $abstain))))
    (loop $next
      (if (i32.lt_u (call $of (local.get $i)) (call $of (local.get $best)))
        (then (local.set $best (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (global.get $count))))
    (call $backend (local.get $best))";

fn stat(name: &str) -> String {
    format!(r#"(import "pointsman:policy/stats@0.1.0" "{name}" (func ${name} (param i32) (result i32)))"#)
}

#[test]
fn every_built_in_passes_in_under_ten_seconds() {
    let mut bad = Vec::new();
    for builtin in BUILTINS {
        let card = card_of(builtin.name, builtin.bytes, "{}", &[]);
        let names: Vec<_> = card.checks.iter().map(|check| check.name).collect();
        assert_eq!(names, properties(), "{card}");
        // The promise is one of release builds; an unoptimised one on a busy machine takes longer.
        let most = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });
        if !card.passed() || card.took > most {
            bad.push(card.to_string());
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn every_way_to_set_up_a_built_in_passes() {
    for (name, options) in [
        ("round_robin", r#"{"start":"first"}"#),
        ("random", r#"{"choices":2}"#),
        ("hash", r#"{"consistent":true}"#),
        ("hash", r#"{"consistent":true,"bound":1.25}"#),
        ("ketama", r#"{"bound":1.25}"#),
        ("maglev", r#"{"bound":1.25}"#),
        ("p2c", r#"{"by":"latency"}"#),
        ("least_time", r#"{"by":"header","inflight":true}"#),
        ("adaptive", r#"{"scan_max":0}"#),
        ("weighted_report", r#"{"blackout":0}"#),
    ] {
        let card = card_of(name, builtin(name).unwrap().bytes, options, &[]);
        assert!(card.passed(), "{options}: {card}");
    }
}

#[test]
fn each_bad_guest_fails_for_its_own_reason() {
    for (guest, property, words) in [
        ("bad_status", "trial", "rejected with status 200"),
        ("eats_memory", "trial", "more memory than it is allowed"),
        ("half_state", "load", "function `restore`"),
        ("hoards_state", "trial", "save"),
        ("index_too_big", "trial", "chose backend 9999"),
        ("init_fails", "trial", "option `speed` is missing"),
        ("init_never_returns", "trial", "missed its deadline"),
        ("init_traps", "trial", "while it was being initialised"),
        ("misspelt", "load", "misspelt:17:6"),
        ("never_returns", "trial", "missed its deadline (in trial, pick 0)"),
        ("no_policy", "load", "it exports `init`, `pick`"),
        ("recursion", "trial", "call stack exhausted"),
        ("start_traps", "trial", "`start`"),
        ("traps", "trial", "`give_up`"),
        ("wants_sockets", "load", "a policy has no network"),
        ("wants_the_clock", "load", "wasi:clocks"),
        ("wrong_shape", "load", "function `pick`"),
        ("wrong_version", "load", "speaks version 0.1.0"),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/guests/{guest}.wat"));
        let card = card_of(guest, &std::fs::read(file).unwrap(), "{}", &[]);
        let last = card.checks.last().unwrap();
        assert!(!card.passed() && card.checks.len() == 1, "{guest}: {card}");
        assert_eq!((last.name, last.verdict), (property, Verdict::Failed), "{guest}: {card}");
        assert!(last.happened.contains(words), "{guest}: {card}");
    }
}

#[test]
fn a_policy_that_counts_on_two_candidates_fails_with_one() {
    fails(&guest("", "(call $backend (i32.const 1))", ""), "sizes", "with 1 candidates");
}

#[test]
fn a_policy_that_cannot_take_ten_thousand_candidates_fails() {
    let small = guest("", BY_LOT, "").replace("\"memory\") 128", "\"memory\") 1");
    fails(&small, "sizes", "at birth, with 10000 candidates");
}

#[test]
fn a_policy_that_trips_over_a_request_fails() {
    let pick = "(if (i64.eq (local.get $length) (i64.const 1)) (then (unreachable))) (call $abstain)";
    fails(&guest("", pick, ""), "requests", "unreachable");
}

#[test]
fn a_policy_that_trips_over_options_fails_and_one_that_ignores_them_is_noted() {
    let trips = guest("", BY_LOT, "").replace(
        "(global.set $count (local.get $n))",
        "(if (i32.gt_u (local.get $options_length) (i32.const 2)) (then (unreachable))) (global.set $count (local.get $n))",
    );
    fails(&trips, "options", "no_such_option");
    let (verdict, happened) = verdict(&guest("", BY_LOT, ""), "options");
    assert_eq!(verdict, Verdict::Noted, "{happened}");
    assert!(happened.contains("misspells"), "{happened}");
}

#[test]
fn a_policy_that_divides_by_what_can_be_zero_fails() {
    let pick = "(call $backend (i32.rem_u
        (i32.div_u (i32.const 7) (i32.sub (i32.const 2147483647) (call $in-flight-of (i32.const 0))))
        (global.get $count)))";
    fails(&guest(&stat("in-flight-of"), pick, ""), "extremes", "divide by zero");
}

#[test]
fn an_explanation_without_words_fails() {
    let explain = r#"(func (export "pointsman:policy/explain@0.1.0#explain")
        (param i64 i32 i32 i64 i32 i64) (result i32) (i32.const 64))"#;
    fails(&guest("", BY_LOT, explain), "calls", "explanations are empty");
}

#[test]
fn a_policy_that_names_again_who_failed_fails() {
    fails(&guest("", BY_LOT, ""), "retries", "look at `tried`");
}

#[test]
fn a_policy_that_does_not_look_at_weights_fails_unless_that_is_accepted() {
    let by_lot = guest("", BY_LOT, "");
    fails(&by_lot, "weights", "does not look at weights");
    let wishes =
        Wishes { only: vec!["weights".into()], accepted: vec!["weights".into()], ..Wishes::default() };
    let card = examine(&ENGINE, "guest", by_lot.as_bytes(), &wishes);
    assert_eq!(card.checks[0].verdict, Verdict::Noted, "{card}");
    assert!(card.passed());
}

#[test]
fn a_policy_that_leaves_somebody_out_fails() {
    let all_but_the_last = "(call $backend (i32.rem_u (local.get $random)
        (i32.sub (global.get $count) (i32.gt_u (global.get $count) (i32.const 1)))))";
    fails(&guest("", all_but_the_last, ""), "starvation", "1 of 10 candidates get nothing: 9");
}

#[test]
fn a_policy_that_refuses_without_need_fails() {
    let refuses =
        "(i32.store8 (i32.const 32) (i32.const 2)) (i32.store (i32.const 36) (i32.const 503)) (i32.const 32)";
    fails(&guest("", refuses, ""), "starvation", "were refused");
}

#[test]
fn a_policy_drawn_to_who_fails_at_once_fails_if_it_could_have_known() {
    let of = "(func $of (param i32) (result i32) (call $in-flight-of (local.get 0)))";
    let blind = guest(&stat("in-flight-of"), LEAST, of);
    let (verdict, happened) = verdict(&blind, "black-hole");
    assert_eq!(verdict, Verdict::Noted, "{happened}");
    assert!(happened.contains("health checks"), "{happened}");

    // Response time times what is in flight: the textbook's score, and a black hole.
    let of = "(func $of (param i32) (result i32)
        (i32.mul (call $latency-of (local.get 0)) (i32.add (call $in-flight-of (local.get 0)) (i32.const 1))))";
    let imports = stat("in-flight-of") + &stat("latency-of");
    fails(&guest(&imports, LEAST, of), "black-hole", "stats.failures");
}

#[test]
fn a_policy_that_never_forgives_fails() {
    let pick = "
    (if (local.get $attempt) (then (return (call $abstain))))
    (local.set $i (i32.rem_u (local.get $random) (global.get $count)))
    (if (i32.load8_u (i32.add (i32.const 64) (local.get $i))) (then (return (call $backend (i32.const 0)))))
    (call $backend (local.get $i))";
    let feedback = r#"(func (export "pointsman:policy/feedback@0.1.0#done") (param $backend i32) (param $verdict i32)
      (param i32 i32 i32 i32 i64)
    (if (local.get $verdict)
      (then (i32.store8 (i32.add (i32.const 64) (local.get $backend)) (i32.const 1)))))"#;
    fails(&guest("", pick, feedback), "recovery", "0.0 %");
}

#[test]
fn a_policy_that_moves_everybody_when_one_leaves_fails() {
    let by_key =
        "(call $backend (i32.wrap_i64 (i64.rem_u (local.get $key) (i64.extend_i32_u (global.get $count)))))";
    fails(&guest("", by_key, ""), "disruption", "goes out of service 8");
    let (verdict, happened) = verdict(&guest("", BY_LOT, ""), "disruption");
    assert_eq!(verdict, Verdict::Skipped, "{happened}");
}

#[test]
fn a_policy_that_hands_over_nothing_of_what_it_saved_fails() {
    let pick = "(i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
        (call $backend (i32.rem_u (i32.load (i32.const 64)) (global.get $count)))";
    let state = r#"(func (export "pointsman:policy/state@0.1.0#save") (result i32)
        (i32.store (i32.const 48) (i32.const 64)) (i32.store (i32.const 52) (i32.const 4)) (i32.const 48))
      (func (export "pointsman:policy/state@0.1.0#restore") (param $at i32) (param $length i32) RESTORE)"#;
    fails(&guest("", pick, &state.replace("RESTORE", "")), "state", "neither saves");
    fails(&guest("", pick, &state.replace("RESTORE", "(unreachable)")), "state", "the saved state");

    let restore = "(if (i32.eq (local.get $length) (i32.const 4)) (then (i32.store (i32.const 64) (i32.load (local.get $at)))))";
    let (verdict, happened) = verdict(&guest("", pick, &state.replace("RESTORE", restore)), "state");
    assert_eq!(verdict, Verdict::Passed, "{happened}");
}

#[test]
fn a_policy_that_never_frees_fails() {
    // A column of numbers for each pick, put behind the last one.
    let imports = r#"(import "pointsman:policy/stats@0.1.0" "in-flight" (func $in_flight (param i32)))"#;
    let pick = "(call $in_flight (i32.const 64)) (call $backend (i32.const 0))";
    fails(&guest(imports, pick, ""), "memory", "is memory ever freed?");

    let grows = "(if (i32.eqz (i32.and (local.get $random) (i32.const 255))) (then (drop (memory.grow (i32.const 4))))) (call $abstain)";
    fails(&guest("", grows, ""), "memory", "never freed");
}

#[test]
fn a_policy_that_takes_its_time_fails() {
    let pick = "(local.set $i (i32.const 3000000))
        (loop $count
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (i32.store (i32.const 64) (local.get $i))
          (br_if $count (local.get $i)))
        (call $abstain)";
    let limits = Limits { pick: Duration::from_millis(6), ..limits() };
    let wishes = Wishes { only: vec!["cost".into()], limits, ..Wishes::default() };
    let card = examine(&ENGINE, "guest", guest("", pick, "").as_bytes(), &wishes);
    assert_eq!(card.checks[0].verdict, Verdict::Failed, "{card}");
    assert!(
        card.checks[0].happened.contains("too slow with 10 candidates")
            || card.checks[0].happened.contains("deadline"),
        "{card}"
    );
}

#[test]
fn the_same_seed_makes_the_same_test() {
    let told = |seed| {
        let only = vec!["weights".into(), "starvation".into(), "black-hole".into()];
        let card = examine(
            &ENGINE,
            "random",
            builtin("random").unwrap().bytes,
            &Wishes { seed, only, ..Wishes::default() },
        );
        card.checks.iter().map(|check| check.happened.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

#[test]
fn the_card_is_json_too() {
    let json = card_of("random", builtin("random").unwrap().bytes, r#"{"choices":2}"#, &["weights"]).json();
    assert_eq!(json["passed"], true);
    assert_eq!(json["options"]["choices"], 2);
    assert_eq!(json["checks"][0]["name"], "weights");
    assert_eq!(json["checks"][0]["verdict"], "passed");
}
