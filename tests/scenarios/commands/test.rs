//! `pointsman policy test`: the report card, and what the exit code says. (What is tried, and what
//! fails it, is told by `tests/kit.rs`.)

use crate::harness::{Finished, gateway, guest, pointsman};

fn tested(text: &str, arguments: &[&str]) -> Finished {
    let plan = gateway().file("mine.wat", text);
    let file = plan.folder().join("mine.wat").display().to_string();
    pointsman(&[&["policy", "test", &file, "--pick-deadline", "500"], arguments].concat())
}

#[test]
fn a_good_policy_gets_a_card_and_exit_code_0() {
    let finished =
        pointsman(&["policy", "test", "random", "--options", "{ choices = 2 }", "--only", "trial,weights"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("passed  weights"), "{finished:?}");
    assert!(finished.stdout.contains("good: 2 passed"), "{finished:?}");
}

#[test]
fn a_bad_policy_gets_the_whole_story_and_exit_code_1() {
    let finished = tested(&guest::always(0), &["--only", "starvation", "--seed", "5"]);
    assert_eq!(finished.code, 1, "{finished:?}");
    for words in ["FAILED  starvation", "tried: ", "expected: ", "add --seed 5 --only starvation"] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
}

#[test]
fn what_is_accepted_is_told_and_does_not_fail() {
    let finished = tested(&guest::always(0), &["--only", "starvation", "--accept", "starvation"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("noted   starvation"), "{finished:?}");
}

#[test]
fn the_card_is_json_for_programs() {
    let finished = tested(&guest::always(7), &["--json"]);
    assert_eq!(finished.code, 1, "{finished:?}");
    let card: serde_json::Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    assert_eq!(card["passed"], false);
    assert_eq!(card["checks"][0]["name"], "trial");
    assert!(card["checks"][0]["happened"].as_str().is_some_and(|text| text.contains("backend 7")), "{card}");
}

#[test]
fn options_and_names_that_make_no_sense_are_usage_errors() {
    for arguments in [["--options", "choices=2"], ["--only", "wieghts"], ["--accept", "everything"]] {
        let finished = tested(&guest::always(0), &arguments);
        assert_eq!(finished.code, 2, "{arguments:?}: {finished:?}");
    }
}
