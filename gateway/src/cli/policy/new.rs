//! `pointsman policy new`

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use clap::builder::PossibleValuesParser;
use include_dir::Dir;

use super::Code;
use super::examples::{EXAMPLES, Example, SDK, SDK_MANIFEST};
use crate::policy::WIT;

/// What the policy is called in `examples/policies`.
const EXAMPLE_NAME: &str = "least_wait";
/// From there, Pointsman's own folder; in the new folder the parts of it that are needed lie in
/// one of this name.
const FROM_THERE: &str = "../../../";
const FROM_HERE: &str = "pointsman/";

#[derive(Args)]
pub(in crate::cli) struct New {
    /// The language
    #[arg(long, value_name = "LANGUAGE",
          value_parser = PossibleValuesParser::new(EXAMPLES.iter().map(|example| example.language)))]
    lang: String,
    /// What the policy shall be called; the folder is made where you are
    #[arg(value_parser = name)]
    name: String,
}

/// A name that is one in every language, in the configuration and on disk.
fn name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(legal) {
        return Ok(text.to_owned());
    }
    Err("lower-case letters, digits and underscores are wanted, a letter first".into())
}

pub(super) fn new(asked: &New) -> Code {
    let Some(example) = EXAMPLES.iter().find(|example| example.language == asked.lang) else {
        return Code::Refused;
    };
    let folder = PathBuf::from(&asked.name);
    if fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()) {
        eprintln!(
            "there is a folder `{}` already, with something in it: choose another name",
            folder.display()
        );
        return Code::Refused;
    }
    if let Err(error) = make(example, &asked.name, &folder) {
        eprintln!("cannot write `{}`: {error}", folder.display());
        return Code::System;
    }
    let Example { shown, needs, .. } = example;
    let name = &asked.name;
    println!(
        "{name}/ holds a policy in {shown}: the least time to wait, with an option `penalty`.\n\
         To build it you need {needs}.\n\n  \
         sh {name}/build.sh\n\n\
         Then try it, and put it where the gateway looks:\n\n  \
         pointsman policy test {name}/{name}.wasm\n  \
         cp {name}/{name}.wasm policies/"
    );
    Code::Done
}

fn make(example: &Example, name: &str, folder: &Path) -> io::Result<()> {
    for (path, text) in example.files {
        write(&folder.join(path.replace(EXAMPLE_NAME, name)), &made_own(text, name))?;
    }
    let parts = folder.join(FROM_HERE);
    let uses =
        |part: &str| example.files.iter().any(|(_, text)| text.contains(&format!("{FROM_THERE}{part}")));
    let sdk = uses("policies/sdk");
    if sdk {
        write(&parts.join("policies/sdk/Cargo.toml"), &alone(SDK_MANIFEST))?;
        write_all(&SDK, &parts.join("policies/sdk/src"))?;
    }
    if sdk || uses("wit") {
        for (file, text) in WIT {
            write(&parts.join("wit").join(file), text)?;
        }
    }
    Ok(())
}

/// A file of the example under the new name, with paths that hold in the new folder.
fn made_own(text: &str, name: &str) -> String {
    text.replace(EXAMPLE_NAME, name).replace(FROM_THERE, FROM_HERE)
}

/// A manifest that stands without its workspace.
fn alone(manifest: &str) -> String {
    let version = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");
    manifest
        .replace("rust-version.workspace = true\n", "")
        .replace("version.workspace = true", version)
        .replace("edition.workspace = true", "edition = \"2024\"")
        .replace("license.workspace = true", "license = \"Apache-2.0\"")
        .replace("publish.workspace = true", "publish = false")
        .replace("[lints]\nworkspace = true\n", "")
}

fn write_all(from: &Dir<'_>, to: &Path) -> io::Result<()> {
    for file in from.files() {
        let text = file.contents_utf8().unwrap_or_default();
        write(&to.join(file.path()), text)?;
    }
    from.dirs().try_for_each(|dir| write_all(dir, to))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_in_every_language() {
        assert!(name("my_policy2").is_ok());
        for bad in ["", "2fast", "My", "my-policy", "a/b", "..", "é"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_manifest_of_the_sdk_stands_alone() {
        assert!(!alone(SDK_MANIFEST).contains("workspace"), "{}", alone(SDK_MANIFEST));
    }

    #[test]
    fn nothing_of_the_example_and_of_its_place_is_left() {
        for example in EXAMPLES {
            let folder = tempfile::tempdir().unwrap();
            make(example, "mine", folder.path()).unwrap();
            for (path, _) in example.files {
                let text =
                    fs::read_to_string(folder.path().join(path.replace(EXAMPLE_NAME, "mine"))).unwrap();
                assert!(!text.contains(EXAMPLE_NAME) && !text.contains(FROM_THERE), "{path}: {text}");
            }
        }
    }
}
