//! Files that never come into force: what is wrong with them is said before a request meets them.

use crate::harness::{Finished, backends, eventually, gateway, guest, pointsman};

/// Checks a configuration whose upstream wants the policy `mine` made of this text.
fn checked(policy: &str) -> Finished {
    let plan = gateway().file("policies/mine.wat", policy).upstream("api", ["127.0.0.1:1"]).policy("mine").write();
    pointsman(&["check", "-c", &plan.path().display().to_string()])
}

#[track_caller]
fn is_refused(policy: &str, words: &[&str]) {
    let finished = checked(policy);
    assert_eq!(finished.code, 1, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "no {word:?} in:\n{}", finished.stderr);
    }
}

#[test]
fn text_that_is_no_wat() {
    is_refused("(module (fun", &["mine.wat"]);
}

#[test]
fn a_module_that_is_no_policy() {
    is_refused("(module)", &["mine.wat"]);
}

#[test]
fn a_policy_for_another_version() {
    is_refused(&guest::always(0).replace("@0.1.0#", "@9.0.0#"), &["mine.wat"]);
}

#[test]
fn a_policy_that_refuses_its_options() {
    is_refused(&guest::refusing_init("no such option as x"), &["no such option as x"]);
}

#[test]
fn a_policy_that_traps_at_once() {
    is_refused(&guest::picking("(unreachable)"), &["trap"]);
}

#[test]
fn a_policy_that_never_returns() {
    is_refused(&guest::picking("(loop $for_ever (br $for_ever)) (unreachable)"), &["deadline"]);
}

#[test]
fn a_good_policy_passes() {
    let finished = checked(&guest::always(0));
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn a_bad_file_beside_a_running_gateway_changes_nothing() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().file("policies/mine.wat", guest::always(1)).upstream("api", [&a, &b]).policy("mine").start();
    let version = gateway.policy("api")["version"].clone();

    for bad in [guest::picking("(unreachable)"), "(module".into(), guest::refusing_init("never"), guest::always(7)] {
        let before = gateway.log().len();
        gateway.write("policies/mine.wat", &bad);
        eventually("the gateway says why not", || gateway.log()[before..].contains("mine"));
        assert_eq!(gateway.picks(3), ["b"; 3]);
        assert_eq!(gateway.policy("api")["version"], version);
    }
}
