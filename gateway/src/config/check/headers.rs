//! `request_headers` and `response_headers`.

use http::{HeaderName, HeaderValue};

use super::template::template_with;
use crate::config::fields::{Fields, Text};
use crate::config::file::{Entry, Value};
use crate::config::keys;
use crate::config::model::{Expression, HeaderAction, HeaderRule};
use crate::config::place::Place;
use crate::config::problems::Findings;
use crate::template::Template;

/// Fields of the connection rather than of the message: the gateway writes them itself
/// (RFC 9110 section 7.6.1).
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

/// Fields that say where a body ends (RFC 9112 section 6): a rule could only break them.
const OF_THE_FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// Which way the fields go that a table is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the backend.
    Request,
    /// To the client.
    Response,
}

impl Way {
    fn key(self) -> &'static str {
        if self == Self::Request { "request_headers" } else { "response_headers" }
    }
}

/// The rules of one table, in the order of the file.
pub(super) fn rules(
    fields: &Fields<'_>,
    way: Way,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Vec<HeaderRule> {
    let mut rules: Vec<(HeaderRule, Place)> = Vec::new();
    for entry in fields.entries(way.key(), findings) {
        let Some(rule) = rule(fields, entry, way, expression, findings) else { continue };
        if let Some((_, first)) = rules.iter().find(|(other, _)| other.name == rule.name) {
            let message = format!("`{}` stands here twice", rule.name);
            let help = "keep one of them; capitals make no difference in names";
            findings.error(entry.place, message, help).with(*first, "first written here");
        }
        rules.push((rule, entry.place));
    }
    rules.into_iter().map(|(rule, _)| rule).collect()
}

/// `outer`, with what `inner` says otherwise.
pub(super) fn overridden(outer: &[HeaderRule], inner: &[HeaderRule]) -> Vec<HeaderRule> {
    let kept = outer.iter().filter(|rule| inner.iter().all(|own| own.name != rule.name));
    kept.cloned().chain(inner.iter().cloned()).collect()
}

fn rule(
    fields: &Fields<'_>,
    entry: &Entry,
    way: Way,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Option<HeaderRule> {
    let Ok(name) = HeaderName::try_from(&entry.key) else {
        let message = format!("`{}` cannot be the name of a header", entry.key);
        findings.error(entry.place, message, "names have letters, digits and `-`: `X-Real-IP`");
        return None;
    };
    if OF_THE_FRAMING.contains(&name.as_str()) {
        let message = format!("`{}` is set by the gateway alone", entry.key);
        findings.error(entry.place, message, "leave it out: it must fit the body");
        return None;
    }
    if OF_THE_CONNECTION.contains(&name.as_str()) {
        // nginx needs `Connection ""` to keep connections open; here that is nothing new.
        if entry.node.as_text().is_none_or(|text| !text.text.is_empty()) {
            let message = format!("`{}` has no effect", entry.key);
            findings.warning(
                entry.place,
                message,
                "leave it out: the gateway keeps connections and upgrades them by itself",
            );
        }
        return None;
    }
    let read = Reading { entry, expression };
    let (action, always) = match (&entry.node.value, entry.node.as_text()) {
        (_, Some(text)) => (read.set(text, findings)?, true),
        (Value::Table(entries), _) => {
            let inner = fields.inner(&keys::HEADER, entries, entry.node.place, findings);
            read.table(&inner, way, findings)?
        }
        (Value::Unknown, _) => return None,
        (other, _) => {
            let message = format!("`{}` in `{}` cannot be {}", entry.key, way.key(), other.noun());
            findings.error(entry.node.place, message, "write a text, or a table: `{ add = \"a\" }`");
            return None;
        }
    };
    Some(HeaderRule { name, action, always })
}

/// One rule being read.
struct Reading<'a> {
    entry: &'a Entry,
    expression: Option<&'a Expression>,
}

impl Reading<'_> {
    fn set(&self, text: Text<'_>, findings: &mut Findings) -> Option<HeaderAction> {
        if text.text.is_empty() {
            return Some(HeaderAction::Remove);
        }
        Some(HeaderAction::Set(self.value(text, findings)?))
    }

    fn table(&self, fields: &Fields<'_>, way: Way, findings: &mut Findings) -> Option<(HeaderAction, bool)> {
        let text = |name, findings: &mut _| fields.get(name).and_then(|_| fields.text(name, findings));
        let set = text("set", findings);
        let (add, default) = (text("add", findings), text("default", findings));
        let remove = fields.flag("remove", findings);
        let always = fields.get("always").is_none() || fields.flag("always", findings);
        if let Some(node) = fields.get("always").filter(|_| way == Way::Request) {
            let help = "leave it out: requests have no status that it could depend on";
            findings.error(node.place, "`always` is for answers", help);
        }
        let action = match (set, add, default, remove) {
            (Some(text), None, None, false) => self.set(text, findings)?,
            (None, Some(text), None, false) => HeaderAction::Add(self.value(text, findings)?),
            (None, None, Some(text), false) => HeaderAction::Default(self.value(text, findings)?),
            (None, None, None, true) => HeaderAction::Remove,
            _ => {
                let message = format!("what should happen to `{}`?", self.entry.key);
                let help = "write one of `set`, `add`, `default` and `remove = true`";
                findings.error(self.entry.place, message, help);
                return None;
            }
        };
        Some((action, always))
    }

    fn value(&self, text: Text<'_>, findings: &mut Findings) -> Option<Template> {
        if HeaderValue::from_bytes(text.text.as_bytes()).is_err() {
            let message =
                format!("the value of `{}` has a line break or a control character", self.entry.key);
            findings.error(text.place, message, "write the value on one line");
            return None;
        }
        template_with(text, self.expression, findings)
    }
}
