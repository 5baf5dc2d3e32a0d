//! Answers that the configuration writes: `return` and `error_pages`.

use std::fs;
use std::path::Path;

use http::{HeaderValue, StatusCode};

use super::template::{template_of, template_with};
use crate::config::fields::{Fields, Text, wrong_type};
use crate::config::file::{Entry, Node, Value};
use crate::config::keys::{self, PAGE};
use crate::config::model::{Content, Expression, Page, Pages};
use crate::config::problems::Findings;
use crate::template::Escape;

/// Most bytes of a file that is a page: the gateway is no file server, it keeps pages in memory.
const LARGEST: u64 = 1 << 20;

/// `return` of a route: a status, an address to go to, or a table. None if it is not written.
pub(super) fn answer(
    route: &Fields<'_>,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Option<Page> {
    let node = route.get("return")?;
    match &node.value {
        Value::Integer(number) => status_only(*number, node, findings),
        Value::Text { text, .. } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            status_only(text.parse().unwrap_or(0), node, findings)
        }
        Value::Text { .. } => {
            let to = template_with(node.as_text()?, expression, findings)?;
            Some(Page { status: Some(StatusCode::FOUND), location: Some(to), ..bare() })
        }
        Value::Table(entries) => {
            let fields = route.inner(&PAGE, entries, node.place, findings);
            let page = page(&fields, expression, findings)?;
            let usual = if page.location.is_some() { StatusCode::FOUND } else { StatusCode::OK };
            Some(Page { status: page.status.or(Some(usual)), ..page })
        }
        _ => wrong_type(keys::ROUTE.key("return")?, node, findings),
    }
}

fn status_only(number: i64, node: &Node, findings: &mut Findings) -> Option<Page> {
    let status = u16::try_from(number).ok().filter(|status| (200..600).contains(status));
    let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
        findings.error(node.place, format!("`{number}` is no status"), "a status is from 200 to 599");
        return None;
    };
    Some(Page { status: Some(status), ..bare() })
}

fn bare() -> Page {
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    Page { status: None, location: None, content: Content::Status, content_type }
}

/// `error_pages`: `outer`, with what is written here.
pub(super) fn pages(
    fields: &Fields<'_>,
    outer: &Pages,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Pages {
    let mut pages = outer.clone();
    let mut own: Vec<(u16, &Entry)> = Vec::new();
    for entry in fields.entries("error_pages", findings) {
        let statuses = statuses(entry, findings);
        let Some(page) = error_page(fields, entry, expression, findings) else { continue };
        for status in statuses {
            if let Some((_, first)) = own.iter().find(|(known, _)| *known == status) {
                let message = format!("there are two pages for {status}");
                let help = "take it out of one of them";
                findings.error(entry.place, message, help).with(first.place, "first written here");
            }
            own.push((status, entry));
            pages.insert(status, page.clone());
        }
    }
    pages
}

/// The statuses that a key names: `404`, `500 502-504`, `5xx`.
fn statuses(entry: &Entry, findings: &mut Findings) -> Vec<u16> {
    let words = entry.key.split([' ', ',']).filter(|word| !word.is_empty());
    let read: Option<Vec<_>> = words.map(range).collect();
    let mut statuses: Vec<u16> = read.unwrap_or_default().into_iter().flatten().collect();
    statuses.sort_unstable();
    statuses.dedup();
    if statuses.is_empty() {
        let message = format!("`{}` is no list of errors", entry.key);
        let help = "write statuses from 400 to 599: `404`, `\"500 502-504\"`, `5xx`";
        findings.error(entry.place, message, help);
    }
    statuses
}

fn range(word: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let range = match word.split_once('-') {
        Some((from, to)) => from.parse().ok()?..=to.parse().ok()?,
        None => match word {
            "4xx" => 400..=499,
            "5xx" => 500..=599,
            _ => word.parse().ok()?..=word.parse().ok()?,
        },
    };
    (*range.start() >= 400 && *range.end() <= 599 && range.start() <= range.end()).then_some(range)
}

fn error_page(
    outer: &Fields<'_>,
    entry: &Entry,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Option<Page> {
    match &entry.node.value {
        Value::Text { .. } => {
            let (content, content_type) = file(outer, entry.node.as_text()?, findings)?;
            Some(Page { content, content_type, ..bare() })
        }
        Value::Table(entries) => {
            let fields = outer.inner(&PAGE, entries, entry.node.place, findings);
            let page = page(&fields, expression, findings)?;
            let found = page.location.as_ref().map(|_| StatusCode::FOUND);
            Some(Page { status: page.status.or(found), ..page })
        }
        Value::Unknown => None,
        other => {
            let message = format!("a page cannot be {}", other.noun());
            let help =
                "write the path of a file, or a table: `{ text = \"...\", type = \"application/json\" }`";
            findings.error(entry.node.place, message, help);
            None
        }
    }
}

fn page(fields: &Fields<'_>, expression: Option<&Expression>, findings: &mut Findings) -> Option<Page> {
    let status = fields.number("status", findings).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let location = template_of(fields, "to", expression, findings);
    let text = template_of(fields, "text", expression, findings);
    let path = fields.text("file", findings);
    let content_type = fields.text("type", findings);
    if let (Some(node), Some(_)) = (fields.get("file"), &text) {
        let help = "keep one of them: a page has one content";
        findings.error(node.place, "a page cannot have both `file` and `text`", help);
    }
    redirect_with_status(fields, status, location.is_some(), findings);
    let (content, usual) = match (path, text) {
        (Some(path), _) => file(fields, path, findings)?,
        (None, Some(text)) => {
            let usual = type_of_text(&text.to_string());
            (Content::Text(text, Escape::None), usual)
        }
        (None, None) => (Content::Status, bare().content_type),
    };
    let content_type = match content_type {
        Some(text) => header_value(text, findings)?,
        None => usual,
    };
    Some(Page { status, location, content: escaped(content, &content_type), content_type })
}

/// A redirect has a status that browsers follow.
fn redirect_with_status(
    fields: &Fields<'_>,
    status: Option<StatusCode>,
    redirects: bool,
    findings: &mut Findings,
) {
    let (Some(node), Some(status)) = (fields.get("status"), status) else { return };
    let follows = matches!(status.as_u16(), 301..=303 | 307 | 308);
    if redirects && !follows {
        let help = "write 301, 302, 303, 307 or 308";
        findings.error(node.place, format!("{} is no redirect, but there is `to`", status.as_u16()), help);
    }
    if !redirects && follows {
        let help = "add `to = \"https://$host$request_uri\"`";
        findings.error(node.place, format!("{} needs an address to go to", status.as_u16()), help);
    }
}

/// Values that come from clients must not break out of the text around them.
fn escaped(content: Content, content_type: &HeaderValue) -> Content {
    let Content::Text(text, _) = content else { return content };
    let kind = content_type.to_str().unwrap_or_default();
    let escape = match kind.split(';').next().unwrap_or_default().trim() {
        "text/html" | "application/xhtml+xml" | "text/xml" | "application/xml" => Escape::Html,
        json if json == "application/json" || json.ends_with("+json") => Escape::Json,
        _ => Escape::None,
    };
    Content::Text(text, escape)
}

fn type_of_text(text: &str) -> HeaderValue {
    HeaderValue::from_static(match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => "application/json",
        Some(b'<') => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    })
}

fn header_value(text: Text<'_>, findings: &mut Findings) -> Option<HeaderValue> {
    match HeaderValue::from_str(text.text) {
        Ok(value) if text.text.contains('/') => Some(value),
        _ => {
            let help = "write a type and a subtype: `application/json`";
            findings.error(text.place, format!("`{}` is no media type", text.text), help);
            None
        }
    }
}

/// The content of a file, and the type that its ending tells.
fn file(fields: &Fields<'_>, text: Text<'_>, findings: &mut Findings) -> Option<(Content, HeaderValue)> {
    let path = fields.path_of(text, findings)?;
    let read = match fs::metadata(&path) {
        Ok(it) if it.len() > LARGEST => {
            let message = format!("`{}` is larger than 1 MiB", text.text);
            let help = "pages are kept in memory: let a backend serve large files";
            findings.error(text.place, message, help);
            return None;
        }
        Ok(_) => fs::read(&path),
        Err(error) => Err(error),
    };
    match read {
        Ok(bytes) => Some((Content::Bytes(bytes.into()), type_of_file(&path))),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", text.text);
            findings.error(text.place, message, "check its path, which starts from this file's folder");
            None
        }
    }
}

fn type_of_file(path: &Path) -> HeaderValue {
    HeaderValue::from_static(match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("txt" | "text") => "text/plain; charset=utf-8",
        Some("xml") => "text/xml; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("ico") => "image/x-icon",
        Some("webp") => "image/webp",
        _ => "application/octet-stream",
    })
}
