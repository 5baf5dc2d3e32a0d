//! A policy as it is named on the command line: in the words of the configuration.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::app::Shelf;
use crate::policy::{Engine, Policy};
use crate::simulate::Contestant;

/// Loads what `named` says: the name of a policy in `folder` or of a built-in, a file, or a table
/// with options: `{ use = "random", choices = 2 }`.
///
/// # Errors
/// What is wrong with it, and how to mend it.
pub(super) fn contestant(engine: &Engine, folder: &Path, named: &str) -> Result<Contestant, String> {
    let (used, options) =
        if named.trim_start().starts_with('{') { table(named)? } else { (named.to_owned(), Map::new()) };
    let path = Path::new(&used);
    let is_file = path.extension().is_some() || used.contains('/');
    let policy = if is_file {
        let bytes = fs::read(path).map_err(|error| format!("cannot read `{used}`: {error}"))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Policy::load(engine, &name, &bytes).map_err(|error| format!("`{used}`: {error}"))?
    } else {
        let loaded = Shelf::new(folder).load(engine, &used);
        loaded
            .map_err(|(message, help)| if help.is_empty() { message } else { format!("{message}; {help}") })?
    };
    let shown = options.iter().map(|(key, value)| format!(" {key}={}", value.to_string().trim_matches('"')));
    let label = format!("{}{}", policy.name(), shown.collect::<String>());
    Ok(Contestant { policy, options: Value::Object(options).to_string().into(), label })
}

/// Name and options of an inline table.
fn table(text: &str) -> Result<(String, Map<String, Value>), String> {
    let why =
        |error: toml::de::Error| format!("the policy `{text}` is not a TOML table: {}", error.message());
    let mut read: Map<String, Value> = toml::from_str(&format!("policy = {text}")).map_err(why)?;
    match read.remove("policy") {
        Some(Value::Object(mut options)) => match options.remove("use") {
            Some(Value::String(name)) => Ok((name, options)),
            _ => Err(format!("the policy `{text}` does not say which: write `{{ use = \"random\", ... }}`")),
        },
        _ => Err(format!("the policy `{text}` is not a TOML table")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(named: &str) -> Result<Contestant, String> {
        contestant(&Engine::new().unwrap(), Path::new("policies"), named)
    }

    #[test]
    fn a_table_carries_options() {
        let contestant = loaded("{ use = \"random\", choices = 2 }").unwrap();
        assert_eq!(
            (contestant.label.as_str(), &*contestant.options),
            ("random choices=2", "{\"choices\":2}")
        );
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        assert!(loaded("rondom").unwrap_err().contains("did you mean `random`?"));
        assert!(loaded("./nowhere.wasm").unwrap_err().contains("cannot read"));
        assert!(loaded("{ choices = 2 }").unwrap_err().contains("use ="));
        assert!(loaded("{ use = ").unwrap_err().contains("is not a TOML table"));
    }
}
