//! `[rate_limit.<name>]`, `[connection_limit.<name>]`, and which of them hold where.

use std::time::Duration;

use http::StatusCode;

use super::Top;
use super::template::template_of;
use crate::config::fields::Fields;
use crate::config::file::Entry;
use crate::config::keys::{self, Section};
use crate::config::model::{ConnectionLimit, RateLimit};
use crate::config::nearest::did_you_mean;
use crate::config::problems::Findings;
use crate::limit::{AtOnce, Rate, Rates, Rule};

/// All limits there are, and those that hold for routes that name none.
pub(super) struct Limits {
    rates: Vec<Named<RateLimit>>,
    connections: Vec<Named<ConnectionLimit>>,
    usual: Chosen,
}

/// A limit that somebody wrote. Its name counts even if something in it is wrong.
struct Named<T> {
    name: String,
    limit: Option<T>,
}

/// Some of them, by index.
#[derive(Clone, Default)]
pub(super) struct Chosen {
    pub(super) rates: Vec<usize>,
    pub(super) connections: Vec<usize>,
}

impl Limits {
    pub(super) fn read(main: &Top<'_>, limits: &Fields<'_>, findings: &mut Findings) -> Self {
        let rates = named(main, &keys::RATE_LIMIT, "rate_limit", rate_limit, findings);
        let connections =
            named(main, &keys::CONNECTION_LIMIT, "connection_limit", connection_limit, findings);
        let mut all = Self { rates, connections, usual: Chosen::default() };
        all.usual = all.of(limits, findings);
        all
    }

    /// Those that a table names; without a word of it the usual ones.
    pub(super) fn of(&self, fields: &Fields<'_>, findings: &mut Findings) -> Chosen {
        let rates = self.rates.iter().map(|named| &*named.name);
        let connections = self.connections.iter().map(|named| &*named.name);
        Chosen {
            rates: chosen(fields, "rate_limits", "rate_limit", &rates, findings)
                .unwrap_or_else(|| self.usual.rates.clone()),
            connections: chosen(fields, "connection_limits", "connection_limit", &connections, findings)
                .unwrap_or_else(|| self.usual.connections.clone()),
        }
    }

    /// All of them, in the order that the indices count.
    pub(super) fn all(self) -> (Vec<RateLimit>, Vec<ConnectionLimit>) {
        let rates = self.rates.into_iter().filter_map(|named| named.limit);
        (rates.collect(), self.connections.into_iter().filter_map(|named| named.limit).collect())
    }
}

fn named<T>(
    main: &Top<'_>,
    section: &'static Section,
    name: &str,
    read: impl Fn(&Entry, &Fields<'_>, &mut Findings) -> Option<T>,
    findings: &mut Findings,
) -> Vec<Named<T>> {
    let tables = main.named(section, name, findings);
    let mut read = |(entry, fields): &(&Entry, Option<Fields<'_>>)| Named {
        name: entry.key.clone(),
        limit: fields.as_ref().and_then(|fields| read(entry, fields, findings)),
    };
    tables.iter().map(&mut read).collect()
}

fn chosen<'a>(
    fields: &Fields<'_>,
    key: &str,
    section: &str,
    names: &(impl Iterator<Item = &'a str> + Clone),
    findings: &mut Findings,
) -> Option<Vec<usize>> {
    fields.get(key)?;
    let mut found = Vec::new();
    for text in fields.texts(key, findings) {
        match names.clone().position(|name| name == text.text) {
            Some(index) if found.contains(&index) => {
                findings.error(text.place, format!("`{}` stands here twice", text.text), "keep one of them");
            }
            Some(index) => found.push(index),
            None => {
                let help = match did_you_mean(text.text, names.clone()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("add `[{section}.{}]`", text.text),
                };
                findings.error(text.place, format!("there is no `[{section}.{}]`", text.text), help);
            }
        }
    }
    Some(found)
}

fn rate_limit(entry: &Entry, fields: &Fields<'_>, findings: &mut Findings) -> Option<RateLimit> {
    let key = template_of(fields, "key", None, findings);
    let size = fields.size("size", findings).unwrap_or_default();
    let burst = fields.number("burst", findings).unwrap_or_default();
    let prompt = prompt(fields, burst, findings);
    let (status, dry_run) = (status(fields, findings), fields.flag("dry_run", findings));
    fields.required("rate", findings)?;
    let text = fields.text("rate", findings)?;
    let Some(rate) = rate(text.text) else {
        let help = "write how many in a second, a minute, an hour or a day: `10/s`, `30/m`, `500/h`; nginx's `10r/s` is the same";
        findings.error(text.place, format!("`{}` is not a rate", text.text), help);
        return None;
    };
    let rule = Rule { rate, burst, prompt };
    let keys = keys_in(size, Rates::KEY);
    Some(RateLimit { name: entry.key.as_str().into(), key: key?, rule, status, keys, dry_run })
}

fn connection_limit(entry: &Entry, fields: &Fields<'_>, findings: &mut Findings) -> Option<ConnectionLimit> {
    let key = template_of(fields, "key", None, findings);
    let size = fields.size("size", findings).unwrap_or_default();
    let (status, dry_run) = (status(fields, findings), fields.flag("dry_run", findings));
    fields.required("max", findings)?;
    let max = fields.number("max", findings)?;
    let keys = keys_in(size, AtOnce::KEY);
    Some(ConnectionLimit { name: entry.key.as_str().into(), key: key?, max, status, keys, dry_run })
}

fn keys_in(size: u64, key: usize) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX) / key
}

fn status(fields: &Fields<'_>, findings: &mut Findings) -> StatusCode {
    let status = fields.number("status", findings).and_then(|status| u16::try_from(status).ok());
    status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::TOO_MANY_REQUESTS)
}

/// How many of a burst need not wait.
fn prompt(fields: &Fields<'_>, burst: u64, findings: &mut Findings) -> u64 {
    let delay = fields.number("delay", findings).unwrap_or_default();
    let nodelay = fields.flag("nodelay", findings);
    if let Some(node) = fields.get("delay") {
        if nodelay {
            let help = "keep one of them: `nodelay` lets the whole burst pass at once";
            findings.error(node.place, "a rate limit cannot have both `delay` and `nodelay`", help);
        } else if delay > burst {
            let help = "so many can never pass: raise `burst`, or lower `delay`";
            findings.error(node.place, format!("`delay` is larger than `burst`, which is {burst}"), help);
        }
    }
    if let (Some(node), true, 0) = (fields.get("nodelay"), nodelay, burst) {
        let help = "leave it out, or add a `burst`: without one nothing is ever delayed";
        findings.warning(node.place, "`nodelay` has no effect without `burst`", help);
    }
    if nodelay { burst } else { delay }
}

/// `10/s`, `30/m`; nginx's `10r/s`.
fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.trim().split_once('/')?;
    let count = count.strip_suffix('r').unwrap_or(count).trim().parse().ok()?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Rate::new(count, Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_nginx_reads_them() {
        let of = |count, seconds| Rate::new(count, Duration::from_secs(seconds));
        assert_eq!(rate("10/s"), of(10, 1));
        assert_eq!(rate("30r/m"), of(30, 60));
        assert_eq!(rate(" 5 / h"), of(5, 3_600));
        for text in ["10", "10/w", "/s", "r/s", "0/s", "-1/s", "1.5/s", "10/ms"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
