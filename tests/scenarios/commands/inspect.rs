//! `pointsman policy inspect`: what a file is, and whether it would be taken.

use crate::harness::{Finished, gateway, guest, pointsman};

fn inspected(name: &str, text: &str) -> Finished {
    let plan = gateway().file(name, text);
    pointsman(&["policy", "inspect", &plan.folder().join(name).display().to_string()])
}

#[test]
fn a_policy_is_described() {
    let finished = inspected("mine.wat", &guest::always(0));
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("pointsman:policy@0.1.0"), "{}", finished.stdout);
}

#[test]
fn a_built_in_is_inspected_by_its_name() {
    let finished = pointsman(&["policy", "inspect", "fair"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("fair"), "{finished:?}");
}

#[test]
fn what_is_no_policy_is_refused() {
    for text in ["(module)", "nonsense", &guest::always(0).replace("#pick", "#pack")] {
        let finished = inspected("mine.wat", text);
        assert_eq!(finished.code, 1, "{finished:?}");
        assert!(finished.stdout.contains("refused: "), "{finished:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let finished = pointsman(&["policy", "inspect", "/nowhere/mine.wasm"]);
    assert_eq!(finished.code, 3);
    assert!(finished.stderr.contains("/nowhere/mine.wasm"), "{finished:?}");
}
