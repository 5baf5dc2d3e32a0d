//! Whole files: the good ones are read, and each bad one gets exactly the text beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Loaded, Problems, load_with};

const FOLDER: &str = "../tests/configs/";

/// The environment of all these files.
fn environment(name: &str) -> Option<String> {
    match name {
        "BACKEND_PORT" => Some("8001".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn load(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, &environment)
}

/// The text with file names as they would be shown to somebody in the folder of the tests.
fn shown(problems: &Problems) -> String {
    problems.to_string().replace(FOLDER, "")
}

fn files(folder: &str, ending: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(format!("{FOLDER}{folder}")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
}

/// Compares with the file `expected`, or writes it when `BLESS` is set in the environment.
fn compare(text: &str, expected: &Path, failures: &mut Vec<String>) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(expected, text).unwrap();
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    if wanted != text {
        failures.push(format!("{}\n--- expected\n{wanted}\n--- shown\n{text}", expected.display()));
    }
}

#[test]
fn every_bad_file_gets_the_text_beside_it() {
    let bad = files("", "toml");
    let mut failures = Vec::new();
    for path in &bad {
        match load(path) {
            Ok(_) => failures.push(format!("{} was accepted", path.display())),
            Err(problems) => compare(&shown(&problems), &path.with_extension("err"), &mut failures),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let expected: BTreeSet<_> = bad.iter().map(|path| path.with_extension("err")).collect();
    assert_eq!(files("", "err"), expected, "each text belongs to a file");
}

#[test]
fn every_good_file_is_read_with_the_warnings_beside_it() {
    let mut failures = Vec::new();
    for path in files("good", "toml") {
        match load(&path) {
            Err(problems) => failures.push(format!("{} was refused:\n{problems}", path.display())),
            Ok(loaded) => {
                let expected = path.with_extension("warn");
                if expected.exists() || !loaded.warnings.is_empty() {
                    compare(&shown(&loaded.warnings), &expected, &mut failures);
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
