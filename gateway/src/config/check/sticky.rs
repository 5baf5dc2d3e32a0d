//! `sticky`.

use http::HeaderName;

use crate::config::fields::{Fields, Text};
use crate::config::keys;
use crate::config::model::{SameSite, Sticky, StickyBy};
use crate::config::problems::Findings;

/// A secret that is shorter could be found by trying.
const SHORTEST_SECRET: usize = 16;

/// Keys that only make sense with a cookie of the gateway's own.
const OF_THE_COOKIE: [&str; 7] = ["secret", "path", "domain", "max_age", "http_only", "secure", "same_site"];
/// Keys that only make sense with what is learnt.
const OF_LEARNING: [&str; 2] = ["sessions", "timeout"];

pub(super) fn sticky(upstream: &Fields<'_>, findings: &mut Findings) -> Option<Sticky> {
    upstream.get("sticky")?;
    let fields = upstream.table(&keys::STICKY, "sticky", findings);
    let by = by(&fields, findings);
    if let Some(by) = &by {
        let (useless, help) = match by {
            StickyBy::Cookie { .. } => (&OF_LEARNING[..], "it goes with `learn_cookie` and `learn_header`"),
            _ => (&OF_THE_COOKIE[..], "it goes with `cookie`, which the gateway sets itself"),
        };
        for node in useless.iter().filter_map(|name| Some((name, fields.get(name)?.place))) {
            findings.error(node.1, format!("`{}` has no effect here", node.0), help);
        }
    }
    let mut attribute = |name, what| {
        let text = fields.text(name, findings)?;
        let legal = |c: char| c.is_ascii_graphic() && c != ';';
        if !text.text.is_empty() && text.text.chars().all(legal) {
            return Some(text.text.into());
        }
        let message = format!("`{}` cannot be the {what} of a cookie", text.text);
        findings.error(text.place, message, "it has no spaces, semicolons or control characters");
        None
    };
    let (path, domain) = (attribute("path", "path"), attribute("domain", "domain"));
    let max_age = fields.duration("max_age", findings);
    let (http_only, secure) = (fields.flag("http_only", findings), fields.flag("secure", findings));
    let same_site = same_site(&fields, secure, findings);
    let sessions = fields.number("sessions", findings).unwrap_or_default();
    let timeout = fields.duration("timeout", findings);
    Some(Sticky {
        by: by?,
        path: path.unwrap_or_default(),
        domain,
        max_age: (!max_age.is_zero()).then_some(max_age),
        http_only,
        secure,
        same_site,
        sessions: usize::try_from(sessions).unwrap_or(usize::MAX),
        timeout,
    })
}

/// Exactly one of three.
fn by(fields: &Fields<'_>, findings: &mut Findings) -> Option<StickyBy> {
    let mut ways: Vec<StickyBy> = Vec::new();
    let secret = secret(fields, findings);
    if let Some(name) = cookie_name(fields, "cookie", findings) {
        ways.push(StickyBy::Cookie { name, secret });
    }
    ways.extend(cookie_name(fields, "learn_cookie", findings).map(StickyBy::LearntCookie));
    ways.extend(header_name(fields, findings).map(StickyBy::LearntHeader));
    let written = ["cookie", "learn_cookie", "learn_header"].iter().filter(|name| fields.get(name).is_some());
    match written.count() {
        1 => ways.pop(),
        0 => {
            let help = "add `cookie = \"backend\"`, or `learn_cookie = \"JSESSIONID\"`";
            findings.error(fields.place, "`sticky` does not say what tells sessions apart", help);
            None
        }
        _ => {
            let help = "keep one of `cookie`, `learn_cookie` and `learn_header`";
            findings.error(fields.place, "`sticky` says more than once what tells sessions apart", help);
            None
        }
    }
}

/// A token (RFC 6265 section 4.1.1).
fn cookie_name(fields: &Fields<'_>, key: &str, findings: &mut Findings) -> Option<Box<str>> {
    let text = fields.text(key, findings)?;
    HeaderName::try_from(text.text)
        .map(|_| text.text.into())
        .map_err(|_| unusable(text, "cookie", findings))
        .ok()
}

fn header_name(fields: &Fields<'_>, findings: &mut Findings) -> Option<HeaderName> {
    let text = fields.text("learn_header", findings)?;
    HeaderName::try_from(text.text).map_err(|_| unusable(text, "header", findings)).ok()
}

fn unusable(text: Text<'_>, what: &str, findings: &mut Findings) {
    let message = format!("`{}` cannot be the name of a {what}", text.text);
    findings.error(text.place, message, "names have letters, digits, `-` and `_`");
}

fn secret(fields: &Fields<'_>, findings: &mut Findings) -> Option<Box<str>> {
    let text = fields.text("secret", findings)?;
    if text.text.len() < SHORTEST_SECRET {
        let message = format!("a secret of {} characters can be guessed", text.text.len());
        let help = "take 16 random ones or more, from the environment: `\"${STICKY_SECRET}\"`";
        findings.error(text.place, message, help);
    }
    Some(text.text.into())
}

fn same_site(fields: &Fields<'_>, secure: bool, findings: &mut Findings) -> SameSite {
    match fields.one_of("same_site", findings) {
        Some("strict") => SameSite::Strict,
        Some("none") => {
            if let Some(node) = fields.get("same_site").filter(|_| !secure) {
                let help = "add `secure = true`";
                findings.error(node.place, "browsers refuse `SameSite=None` without `Secure`", help);
            }
            SameSite::None
        }
        _ => SameSite::Lax,
    }
}
