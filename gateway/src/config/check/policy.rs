//! `policy`, who stands beside it, and `hash_key`.

use serde_json::{Map, Number, Value as Json};

use super::template::template;
use crate::config::fields::{Fields, Text, wrong_type};
use crate::config::file::{Entry, Node, Value};
use crate::config::keys;
use crate::config::model::{Canary, CanaryRules, Policy};
use crate::config::problems::Findings;
use crate::template::Template;

/// Who picks where nobody is named.
const DEFAULT: &str = "adaptive";
/// And where nothing is known of backends, because clients are sent to them.
const DEFAULT_OF_REDIRECTS: &str = "round_robin";

/// The policy of an upstream, its default, or none if it cannot be read.
pub(super) fn policy(upstream: &Fields<'_>, findings: &mut Findings) -> Option<Policy> {
    if let Some(node @ Node { value: Value::Table(_), .. }) = upstream.get("policy") {
        return table(upstream, node, findings);
    }
    let (name, place) = match upstream.get("policy") {
        Some(_) => {
            let name = upstream.text("policy", findings)?;
            (name_of(name, findings)?, name.place)
        }
        None => {
            let redirects =
                upstream.get("mode").and_then(Node::as_text).is_some_and(|mode| mode.text == "redirect");
            (if redirects { DEFAULT_OF_REDIRECTS } else { DEFAULT }.into(), upstream.place)
        }
    };
    Some(Policy { name, options: Map::new(), place })
}

/// The policies that are asked beside it.
pub(super) fn shadows(upstream: &Fields<'_>, findings: &mut Findings) -> Vec<Policy> {
    let Some(node) = upstream.get("shadow") else { return Vec::new() };
    let nodes = match &node.value {
        Value::List(list) => list.as_slice(),
        _ => std::slice::from_ref(node),
    };
    nodes.iter().filter_map(|node| written(&keys::UPSTREAM, "shadow", upstream, node, findings)).collect()
}

/// The policy that tries itself out, if there is one.
pub(super) fn canary(upstream: &Fields<'_>, findings: &mut Findings) -> Option<Canary> {
    let node = upstream.get("canary")?;
    let Value::Table(entries) = &node.value else {
        return keys::UPSTREAM.key("canary").and_then(|key| wrong_type(key, node, findings));
    };
    let fields = upstream.inner(&keys::CANARY, entries, node.place, findings);
    let used = fields.required("use", findings);
    let policy = used.and_then(|node| written(&keys::CANARY, "use", &fields, node, findings));
    let promote_after = fields.get("promote_after").map(|_| fields.duration("promote_after", findings));
    let rules = CanaryRules {
        share: fields.share("share", findings).unwrap_or_default(),
        max_failures: fields.share("max_failures", findings).unwrap_or_default(),
        max_latency: fields.share("max_latency", findings).unwrap_or_default(),
        window: fields.duration("window", findings),
        least_requests: fields.number("least_requests", findings).unwrap_or_default(),
        promote_after,
    };
    Some(Canary { policy: policy?, rules })
}

/// A policy that is written here: a name, or a table.
fn written(
    section: &'static keys::Section,
    key: &str,
    around: &Fields<'_>,
    node: &Node,
    findings: &mut Findings,
) -> Option<Policy> {
    match (&node.value, node.as_text()) {
        (Value::Table(_), _) => table(around, node, findings),
        (_, Some(name)) => {
            Some(Policy { name: name_of(name, findings)?, options: Map::new(), place: name.place })
        }
        _ => section.key(key).and_then(|key| wrong_type(key, node, findings)),
    }
}

/// A table with the name in `use` and the options beside it.
fn table(around: &Fields<'_>, node: &Node, findings: &mut Findings) -> Option<Policy> {
    let Value::Table(entries) = &node.value else { return None };
    let fields = around.inner(&keys::POLICY, entries, node.place, findings);
    fields.required("use", findings)?;
    let name = fields.text("use", findings)?;
    let options = options(fields.others(), findings);
    Some(Policy { name: name_of(name, findings)?, options, place: node.place })
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
