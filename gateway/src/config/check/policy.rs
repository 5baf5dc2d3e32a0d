//! `policy` and `hash_key`.

use serde_json::{Map, Number, Value as Json};

use super::template::template;
use crate::config::fields::{Fields, Text};
use crate::config::file::{Entry, Node, Value};
use crate::config::keys;
use crate::config::model::Policy;
use crate::config::problems::Findings;
use crate::template::Template;

/// The policy of an upstream, its default, or none if it cannot be read.
pub(super) fn policy(upstream: &Fields<'_>, findings: &mut Findings) -> Option<Policy> {
    let node = upstream.get("policy");
    if let Some(Node { place, value: Value::Table(entries) }) = node {
        let fields = upstream.inner(&keys::POLICY, entries, *place, findings);
        fields.required("use", findings)?;
        let name = fields.text("use", findings)?;
        let options = options(fields.others(), findings);
        return Some(Policy { name: name_of(name, findings)?, options, place: *place });
    }
    let name = upstream.text("policy", findings)?;
    Some(Policy { name: name_of(name, findings)?, options: Map::new(), place: name.place })
}

fn name_of(name: Text<'_>, findings: &mut Findings) -> Option<Box<str>> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.text.is_empty() && name.text.chars().all(legal) {
        return Some(name.text.into());
    }
    let file = name.text.rsplit('/').next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    let help = if !stem.is_empty() && stem.chars().all(legal) {
        format!("write `{stem}`, without folder and ending")
    } else {
        "names have letters, digits, `_` and `-`".to_owned()
    };
    findings.error(name.place, format!("`{}` cannot be the name of a policy", name.text), help);
    None
}

/// Policies that cannot do without something to hash by.
const HASHING: [&str; 4] = ["hash", "ketama", "maglev", "rendezvous"];

/// What the upstream hashes by.
pub(super) fn hash_key(
    upstream: &Fields<'_>,
    policy: Option<&Policy>,
    findings: &mut Findings,
) -> Option<Template> {
    let text = upstream.text("hash_key", findings);
    if let Some(text) = text.filter(|text| !text.text.is_empty()) {
        return template(text, findings);
    }
    let hash = policy.filter(|policy| HASHING.contains(&&*policy.name))?;
    let place = text.map_or(hash.place, |text| text.place);
    let help = "add what to hash by: `hash_key = \"$request_uri\"`, or `\"$remote_addr\"`";
    findings.error(place, format!("the policy `{}` needs a `hash_key`", hash.name), help);
    None
}

/// What the policy is given is JSON.
fn options<'a>(entries: impl Iterator<Item = &'a Entry>, findings: &mut Findings) -> Map<String, Json> {
    entries.map(|entry| (entry.key.clone(), json(&entry.node, findings))).collect()
}

fn json(node: &Node, findings: &mut Findings) -> Json {
    match &node.value {
        Value::Text { text, .. } => Json::String(text.clone()),
        Value::Integer(number) => Json::Number((*number).into()),
        Value::Float(number) => Number::from_f64(*number).map(Json::Number).unwrap_or_else(|| {
            findings.error(node.place, "JSON has no such number", "write a finite number");
            Json::Null
        }),
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Date(date) => Json::String(date.clone()),
        Value::List(list) => list.iter().map(|node| json(node, findings)).collect(),
        Value::Unknown => Json::Null,
        Value::Table(entries) => Json::Object(options(entries.iter(), findings)),
    }
}
