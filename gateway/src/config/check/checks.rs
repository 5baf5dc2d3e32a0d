//! `check`: how backends are checked.

use super::health::number;
use crate::config::fields::{Fields, Text};
use crate::config::keys;
use crate::config::problems::Findings;
use crate::upstream::check::{Check, HttpProbe, Probe};

/// Keys that one kind of check alone has a use for.
const OF_HTTP: [&str; 4] = ["path", "host", "status", "body"];

pub(super) fn check(upstream: &Fields<'_>, findings: &mut Findings) -> Option<Check> {
    upstream.get("check")?;
    let fields = upstream.table(&keys::CHECK, "check", findings);
    let probe = probe(&fields, findings);
    let port = fields.get("port").map(|_| number(&fields, "port", findings));
    Some(Check {
        port: port.and_then(|port| u16::try_from(port).ok()),
        interval: fields.duration("interval", findings),
        jitter: number(&fields, "jitter", findings),
        timeout: fields.duration("timeout", findings),
        rise: number(&fields, "rise", findings),
        fall: number(&fields, "fall", findings),
        probe: probe?,
    })
}

fn probe(fields: &Fields<'_>, findings: &mut Findings) -> Option<Probe> {
    let kind = fields.one_of("type", findings);
    let http = http(fields, findings);
    let service = fields.text("service", findings).map_or("", |text| text.text);
    let useless: &[&str] = match kind? {
        "tcp" => &["path", "host", "status", "body", "service"],
        "grpc" => &OF_HTTP,
        _ => &["service"],
    };
    for (name, node) in useless.iter().filter_map(|name| Some((name, fields.get(name)?))) {
        let message = format!("`{name}` has no effect in a check of this type");
        findings.error(node.place, message, "take it out, or change `type`");
    }
    Some(match kind? {
        "tcp" => Probe::Tcp,
        "grpc" => Probe::Grpc { service: service.into() },
        _ => Probe::Http(http?),
    })
}

fn http(fields: &Fields<'_>, findings: &mut Findings) -> Option<HttpProbe> {
    let mut of_a_head = |name, what, begins: &str| {
        let text = fields.text(name, findings)?;
        if text.text.starts_with(begins) && text.text.chars().all(|c| c.is_ascii_graphic()) {
            return Some(text.text.into());
        }
        let message = format!("`{}` cannot be the {what} of a check", text.text);
        findings.error(text.place, message, "it has no spaces, and a path begins with `/`: `/health`");
        None
    };
    let (path, host) = (of_a_head("path", "path", "/"), of_a_head("host", "host", ""));
    let statuses = statuses(fields, findings);
    let body = fields.text("body", findings).map(|text| text.text.into());
    Some(HttpProbe { path: path?, host, statuses, body })
}

fn statuses(fields: &Fields<'_>, findings: &mut Findings) -> Box<[(u16, u16)]> {
    if fields.get("status").is_none() {
        return [(200, 399)].into();
    }
    fields.texts("status", findings).into_iter().filter_map(|text| range(text, findings)).collect()
}

fn range(text: Text<'_>, findings: &mut Findings) -> Option<(u16, u16)> {
    let (from, to) = text.text.split_once('-').unwrap_or((text.text, text.text));
    let status = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status));
    let range = status(from).zip(status(to)).filter(|(from, to)| from <= to);
    if range.is_none() {
        let help = "write a status, or two with `-` between them: `\"200\"`, `\"200-399\"`";
        findings.error(text.place, format!("`{}` is no status", text.text), help);
    }
    range
}
