//! `pointsman policy new`: a folder to begin with. (That each of them builds, passes the kit and picks
//! as the others do is told by `tests/languages.rs`.)

use std::path::Path;
use std::process::{Command, Output};

use crate::harness::gateway;

fn new(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.current_dir(place).args(["policy", "new"]).args(arguments).output().expect("it runs")
}

#[test]
fn a_folder_is_made_that_says_how_it_is_built() {
    let plan = gateway();
    let output = new(plan.folder(), &["--lang", "c", "nearest"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("sh nearest/build.sh"), "{said}");
    assert!(said.contains("pointsman policy test nearest/nearest.wasm"), "{said}");
    assert!(plan.folder().join("nearest/nearest.c").exists());
}

#[test]
fn what_the_language_needs_of_pointsman_lies_in_the_folder() {
    let plan = gateway();
    for (language, file) in [
        ("python", "pointsman/wit/policy.wit"),
        ("rust", "pointsman/policies/sdk/src/lib.rs"),
        ("rust", "pointsman/wit/world.wit"),
    ] {
        new(plan.folder(), &["--lang", language, language]);
        assert!(plan.folder().join(language).join(file).exists(), "{language}: {file}");
    }
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let plan = gateway().file("policies/mine.txt", "precious");
    let output = new(plan.folder(), &["--lang", "wat", "policies"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!plan.folder().join("policies/build.sh").exists());
}

#[test]
fn languages_and_names_that_make_no_sense_are_usage_errors() {
    let plan = gateway();
    for arguments in [["--lang", "cobol", "mine"], ["--lang", "c", "../mine"], ["--lang", "c", "Mine"]] {
        let output = new(plan.folder(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}
