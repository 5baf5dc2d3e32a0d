//! The options of a policy: a JSON object made of what the operator wrote.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// For a policy that has no options; refuses any.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoOptions {}

/// Reads options from JSON.
pub(crate) fn parse<O: DeserializeOwned>(json: &str) -> Result<O, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}
