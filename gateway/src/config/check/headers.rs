//! `request_headers` and `response_headers`.

use http::{HeaderName, HeaderValue};

use super::template::template;
use crate::config::fields::{Fields, Text};
use crate::config::file::Entry;
use crate::config::model::HeaderRule;
use crate::config::place::Place;
use crate::config::problems::Findings;

/// Fields of the connection rather than of the message: the gateway writes them itself
/// (RFC 9110 section 7.6.1).
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

/// Fields that say where a body ends (RFC 9112 section 6): a rule could only break them.
const OF_THE_FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// The rules of one table, in the order of the file.
pub(super) fn rules(fields: &Fields<'_>, name: &str, findings: &mut Findings) -> Vec<HeaderRule> {
    let mut rules: Vec<(HeaderRule, Place)> = Vec::new();
    for (entry, text) in fields.pairs(name, findings) {
        let Some(rule) = rule(entry, text, findings) else { continue };
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

fn rule(entry: &Entry, text: Text<'_>, findings: &mut Findings) -> Option<HeaderRule> {
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
        if !text.text.is_empty() {
            let message = format!("`{}` has no effect", entry.key);
            findings.warning(
                entry.place,
                message,
                "leave it out: the gateway keeps connections and upgrades them by itself",
            );
        }
        return None;
    }
    if HeaderValue::from_bytes(text.text.as_bytes()).is_err() {
        let message = format!("the value of `{}` has a line break or a control character", entry.key);
        findings.error(text.place, message, "write the value on one line");
        return None;
    }
    let value = if text.text.is_empty() { None } else { Some(template(text, findings)?) };
    Some(HeaderRule { name, value })
}
