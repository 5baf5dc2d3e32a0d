//! `pointsman policy build`: WAT text and core modules become components, or it is said what is
//! wrong with them and where.

use crate::harness::{Finished, gateway, guest, pointsman};

/// Builds a file of this name and content; what was said, and the component if there is one.
fn built(name: &str, text: &str) -> (Finished, Option<Vec<u8>>) {
    let plan = gateway().file(name, text);
    let file = plan.folder().join(name);
    let finished = pointsman(&["policy", "build", &file.display().to_string()]);
    (finished, std::fs::read(file.with_extension("wasm")).ok())
}

#[test]
fn text_becomes_a_component_beside_it() {
    let (finished, component) = built("mine.wat", &guest::always(0));
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("exports policy, imports nothing"), "{finished:?}");
    // A component begins with the version 13 of layer 1; a core module with version 1 of layer 0.
    assert_eq!(component.expect("it is written")[..8], *b"\0asm\x0d\0\x01\0");
}

#[test]
fn a_component_is_not_built_again_and_never_written_over() {
    let plan = gateway().file("mine.wat", guest::always(0));
    let (text, component) = (plan.folder().join("mine.wat"), plan.folder().join("mine.wasm"));
    assert_eq!(pointsman(&["policy", "build", &text.display().to_string()]).code, 0);
    let finished = pointsman(&["policy", "build", &component.display().to_string()]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("nothing to build"), "{finished:?}");
}

#[test]
fn a_mistake_in_the_text_is_shown_at_its_line() {
    let wrong_type = guest::always(0).replace("(i32.const 0)))", "(i64.const 0)))");
    for (text, words) in [
        (guest::always(0).replace("i32.store8", "i32.store9"), "unknown operator"),
        (wrong_type, "expected i32, found i64"),
    ] {
        let (finished, component) = built("mine.wat", &text);
        assert_eq!((finished.code, component), (1, None), "{finished:?}");
        assert!(finished.stderr.contains(words), "{finished:?}");
        assert!(finished.stderr.contains("mine.wat:"), "{finished:?}");
    }
}

#[test]
fn an_export_that_is_missing_or_misspelt_is_named() {
    for (from, to, words) in [
        ("#pick", "#pack", "`pick`"),
        ("policy@0.1.0#init", "policy@0.1.0#unit", "`init`"),
        ("policy/policy@0.1.0#", "policy/politics@0.1.0#", "pointsman:policy/politics@0.1.0#pick"),
        ("cabi_realloc", "realloc", "cabi_realloc"),
        ("(param $attempt i32)", "", "pick"),
    ] {
        let (finished, component) = built("mine.wat", &guest::always(0).replace(from, to));
        assert_eq!((finished.code, component), (1, None), "{finished:?}");
        assert!(finished.stderr.contains(words), "{from} to {to}: {finished:?}");
    }
}

#[test]
fn a_file_that_is_no_webassembly_is_refused_as_such() {
    let (finished, _) = built("mine.wat", "export function pick() {}");
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("mine.wat:1:1"), "{finished:?}");
}
