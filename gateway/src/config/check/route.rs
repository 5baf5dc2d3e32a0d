//! `[[route]]`.

use super::Top;
use super::headers::{overridden, rules};
use super::max_body;
use super::upstream::{Headers, Named};
use crate::config::fields::{Fields, Text};
use crate::config::keys;
use crate::config::model::{HostPattern, PathPattern, Route};
use crate::config::nearest::did_you_mean;
use crate::config::place::Place;
use crate::config::problems::Findings;

/// All routes. `headers` belong to `upstreams`, one by one.
pub(super) fn routes(
    main: &Top<'_>,
    tops: &[&Top<'_>],
    upstreams: &[Named<'_>],
    headers: &[Headers],
    max_body: u64,
    findings: &mut Findings,
) -> Vec<Route> {
    let mut list = Vec::new();
    let mut used = vec![false; upstreams.len()];
    for top in tops {
        for fields in top.tables(&keys::ROUTE, "route", findings) {
            let upstream = upstream(&fields, upstreams, findings);
            if let Some(upstream) = upstream {
                used[upstream] = true;
            }
            list.extend(route(&fields, upstream, headers, max_body, findings));
        }
    }
    if !tops.iter().any(|top| top.has("route")) {
        let help = "add `[[route]]` with `upstream = \"name\"`; without a path it takes every request";
        findings.error(main.fields.place, "there is no route", help);
    }
    duplicates(&list, findings);
    for (named, _) in upstreams.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("no route uses the upstream `{}`", named.name);
        findings.warning(named.place, message, "add a route with this upstream, or take it out");
    }
    list
}

fn route(
    fields: &Fields<'_>,
    upstream: Option<usize>,
    headers: &[Headers],
    limit: u64,
    findings: &mut Findings,
) -> Option<Route> {
    let none = Headers::default();
    let outer = upstream.and_then(|upstream| headers.get(upstream)).unwrap_or(&none);
    let own = max_body(fields, findings);
    let request = rules(fields, "request_headers", findings);
    let response = rules(fields, "response_headers", findings);
    let hosts = hosts(fields, findings);
    let path = path(fields, findings);
    Some(Route {
        hosts: hosts?,
        path: path?,
        upstream: upstream?,
        max_body: own.unwrap_or(limit),
        request_headers: overridden(&outer.request, &request),
        response_headers: overridden(&outer.response, &response),
        place: fields.place,
    })
}

fn upstream(fields: &Fields<'_>, upstreams: &[Named<'_>], findings: &mut Findings) -> Option<usize> {
    fields.required("upstream", findings)?;
    let text = fields.text("upstream", findings)?;
    let found = upstreams.iter().position(|named| named.name == text.text);
    if found.is_none() {
        let names = upstreams.iter().map(|named| named.name);
        let bare = text.text.strip_prefix("http://").unwrap_or(text.text).trim_end_matches('/');
        let help = match did_you_mean(bare, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("add `[upstream.{bare}]` with its `backends`"),
        };
        findings.error(text.place, format!("there is no upstream `{}`", text.text), help);
    }
    found
}

fn hosts(fields: &Fields<'_>, findings: &mut Findings) -> Option<Vec<HostPattern>> {
    let Some(node) = fields.get("host") else { return Some(vec![HostPattern::Any]) };
    let texts = fields.texts("host", findings);
    let mut hosts: Vec<HostPattern> = Vec::new();
    for text in &texts {
        let Some(pattern) = host(*text, findings) else { continue };
        if hosts.contains(&pattern) {
            let message = format!("the host `{}` stands here twice", text.text);
            findings.error(text.place, message, "keep one of them");
        }
        hosts.push(pattern);
    }
    if texts.is_empty() && matches!(&node.value, crate::config::file::Value::List(list) if list.is_empty()) {
        findings.error(node.place, "a route needs a host", "leave `host` out to serve every host");
    }
    (!hosts.is_empty()).then_some(hosts)
}

fn host(text: Text<'_>, findings: &mut Findings) -> Option<HostPattern> {
    let lower = text.text.to_ascii_lowercase();
    let (wild, name) = match lower.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, lower.as_str()),
    };
    if let Some(help) = host_problem(text.text, name) {
        findings.error(text.place, format!("`{}` is not a host that a route can serve", text.text), help);
        return None;
    }
    Some(if wild { HostPattern::Below(format!(".{name}").into()) } else { HostPattern::Exact(name.into()) })
}

/// What is wrong with a host, told by what it looks like.
fn host_problem(written: &str, name: &str) -> Option<&'static str> {
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if literal.is_some_and(|literal| literal.parse::<std::net::Ipv6Addr>().is_ok()) {
        return None;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match written {
        "*" | "_" | "" => Some("leave `host` out to serve every host"),
        _ if written.starts_with('~') => {
            Some("hosts have no regular expressions: list them, or write `*.example.com`")
        }
        _ if written.contains("://") => Some("write the name alone, without `http://`"),
        _ if name.contains(':') => Some("write it without the port: a route serves all listeners"),
        _ if name.contains('*') => Some("a `*` can only stand at the beginning: `*.example.com`"),
        _ if !name.is_ascii() => Some("write it in its ASCII form, which begins with `xn--`"),
        _ if name.starts_with('.') || name.ends_with('.') || name.contains("..") => {
            Some("leave out the dot at its ends: `example.com`, or `*.example.com` for what is below it")
        }
        _ if name.is_empty() || !name.chars().all(legal) => {
            Some("names have letters, digits, `-`, `_` and `.`")
        }
        _ => None,
    }
}

fn path(fields: &Fields<'_>, findings: &mut Findings) -> Option<PathPattern> {
    let text = fields.text("path", findings)?;
    let exact = text.text.strip_prefix('=').map(str::trim_start);
    let path = exact.unwrap_or(text.text);
    let help = match path {
        _ if text.text.starts_with(['~', '^']) => {
            "paths have no regular expressions: write a prefix, or `= /x` for one path"
        }
        _ if !path.starts_with('/') => "it must begin with `/`; `= /x` is for the path `/x` alone",
        _ if path.contains(['?', '#']) => "write it without the query: routes look at the path alone",
        _ if path.contains(|c: char| c.is_ascii_control() || c == ' ') => {
            "spaces and control characters are encoded: `%20`"
        }
        _ if exact.is_some() => return Some(PathPattern::Exact(path.into())),
        _ => return Some(PathPattern::Prefix(path.into())),
    };
    findings.error(text.place, format!("`{}` is not a path that a route can serve", text.text), help);
    None
}

fn duplicates(routes: &[Route], findings: &mut Findings) {
    for (index, route) in routes.iter().enumerate() {
        let same = |other: &&Route| {
            other.path == route.path && other.hosts.iter().any(|host| route.hosts.contains(host))
        };
        if let Some(first) = routes[..index].iter().find(same) {
            let message = "two routes are for the same host and path";
            let help = "no request would reach this one: change its `host` or its `path`";
            let (place, other): (Place, Place) = (route.place, first.place);
            findings.error(place, message, help).with(other, "first written here");
        }
    }
}
