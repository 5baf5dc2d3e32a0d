//! `pointsman policy test`

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Code, Named, engine};
use crate::kit::{self, Wishes};
use crate::observe::{Log, Target};
use crate::policy::Limits;
use crate::policy::recording::Recording;

#[derive(Args)]
pub(in crate::cli) struct Test {
    /// A component, a core module or WAT text; or the name of a built-in policy
    policy: PathBuf,
    /// The policy's options, as in the configuration: `{ choices = 2 }`, or as JSON
    #[arg(long, value_name = "OPTIONS", default_value = "{}", value_parser = options)]
    options: String,
    /// Print the report card as JSON
    #[arg(long)]
    json: bool,
    /// What everything made up follows from: the same seed makes the same test
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Try only these properties (comma-separated)
    #[arg(long, value_name = "PROPERTIES", value_delimiter = ',', value_parser = property)]
    only: Vec<String>,
    /// Tell, but do not fail, where the policy lacks these properties by intention
    #[arg(long, value_name = "PROPERTIES", value_delimiter = ',', value_parser = property)]
    accept: Vec<String>,
    /// Make the picks of this recording again, too: every choice must be the recorded one. The
    /// recorded policy has its recorded options unless `--options` says otherwise
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Wall clock that a pick may take, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 10)]
    pick_deadline: u64,
    /// Wall clock that a birth may take, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_000)]
    init_deadline: u64,
}

/// Reads an object in JSON or an inline table in TOML; gives it back as JSON.
fn options(text: &str) -> Result<String, String> {
    if let Ok(object) = serde_json::from_str::<serde_json::Map<_, _>>(text) {
        return Ok(serde_json::Value::Object(object).to_string());
    }
    let table = toml::from_str::<toml::Table>(&format!("options = {text}\n"))
        .map_err(|error| format!("neither a JSON object nor a TOML table: {}", error.message()))?;
    match table.get("options") {
        Some(options @ toml::Value::Table(_)) => {
            serde_json::to_string(options).map_err(|error| error.to_string())
        }
        _ => Err("a table is wanted: `{ choices = 2 }`".into()),
    }
}

fn property(name: &str) -> Result<String, String> {
    let known = kit::properties();
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("there is no such property; there are {}", known.join(", ")))
}

fn recording(file: &Path) -> Result<Recording, Code> {
    let text = fs::read_to_string(file).map_err(|error| {
        eprintln!("cannot read `{}`: {error}", file.display());
        Code::System
    })?;
    Recording::read(&text).map_err(|why| {
        eprintln!("`{}`: {why}", file.display());
        Code::Refused
    })
}

pub(super) fn test(asked: &Test) -> Code {
    tested(asked).unwrap_or_else(|code| code)
}

fn tested(asked: &Test) -> Result<Code, Code> {
    let Named { name, bytes } = Named::read(&asked.policy)?;
    let limits = Limits {
        pick: Duration::from_millis(asked.pick_deadline.max(1)),
        init: Duration::from_millis(asked.init_deadline.max(1)),
        ..Limits::default()
    };
    let wishes = Wishes {
        options: asked.options.clone(),
        seed: asked.seed,
        limits,
        only: asked.only.clone(),
        accepted: asked.accept.clone(),
        recording: asked.replay.as_deref().map(recording).transpose()?.map(Arc::new),
    };
    // What the policy says about itself when it gives up: a panic's text is the best of hints.
    let _log = Log::start(tracing::Level::ERROR, &Target::Stderr);
    let card = kit::examine(&engine()?, &name, &bytes, &wishes);
    if asked.json {
        println!("{:#}", card.json());
    } else {
        print!("{card}");
    }
    Ok(if card.passed() { Code::Done } else { Code::Refused })
}

#[cfg(test)]
mod tests {
    use super::options;

    #[test]
    fn options_are_written_as_in_the_configuration_or_as_json() {
        assert_eq!(options("{ choices = 2 }").as_deref(), Ok(r#"{"choices":2}"#));
        assert_eq!(options(r#"{"choices": 2}"#).as_deref(), Ok(r#"{"choices":2}"#));
        assert_eq!(options("{}").as_deref(), Ok("{}"));
        assert!(options("2").is_err() && options("choices = 2").is_err());
    }
}
