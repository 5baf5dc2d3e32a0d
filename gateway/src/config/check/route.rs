//! `[[route]]`.

use super::headers::{Way, overridden, rules};
use super::max_body;
use super::page::{answer, pages};
use super::template::template_with;
use super::upstream::{Headers, Named};
use super::{Top, compression, limit};
use crate::config::fields::{Fields, Text};
use crate::config::keys;
use crate::config::model::{Expression, HostPattern, Limits, Pages, PathPattern, Rewrite, Route, To};
use crate::config::nearest::did_you_mean;
use crate::config::place::Place;
use crate::config::problems::Findings;

/// What routes are read against.
pub(super) struct Outer<'a> {
    pub(super) upstreams: &'a [Named<'a>],
    /// The upstreams' rules for headers, one by one.
    pub(super) headers: &'a [Headers],
    pub(super) limits: &'a Limits,
    pub(super) pages: &'a Pages,
    pub(super) compression: &'a compression::Section,
    pub(super) by_key: &'a limit::Limits,
}

/// All routes.
pub(super) fn routes(
    main: &Top<'_>,
    tops: &[&Top<'_>],
    outer: &Outer<'_>,
    findings: &mut Findings,
) -> Vec<Route> {
    let mut list = Vec::new();
    let mut used = vec![false; outer.upstreams.len()];
    for top in tops {
        for fields in top.tables(&keys::ROUTE, "route", findings) {
            let upstream = upstream(&fields, outer.upstreams, findings);
            if let Some(upstream) = upstream {
                used[upstream] = true;
            }
            list.extend(outer.route(&fields, upstream, findings));
        }
    }
    if !tops.iter().any(|top| top.has("route")) {
        let help = "add `[[route]]` with `upstream = \"name\"`; without a path it takes every request";
        findings.error(main.fields.place, "there is no route", help);
    }
    duplicates(&list, findings);
    for (named, _) in outer.upstreams.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("no route uses the upstream `{}`", named.name);
        findings.warning(named.place, message, "add a route with this upstream, or take it out");
    }
    list
}

impl Outer<'_> {
    fn route(&self, fields: &Fields<'_>, upstream: Option<usize>, findings: &mut Findings) -> Option<Route> {
        let none = Headers::default();
        let headers = upstream.and_then(|upstream| self.headers.get(upstream)).unwrap_or(&none);
        let own = max_body(fields, findings);
        let timeout = fields.duration("timeout", findings);
        let hosts = hosts(fields, findings);
        let path = path(fields, findings);
        let expression = path.as_ref().and_then(PathPattern::expression);
        let request = rules(fields, Way::Request, expression, findings);
        let response = rules(fields, Way::Response, expression, findings);
        let error_pages = pages(fields, self.pages, expression, findings);
        let page = answer(fields, expression, findings);
        let rewrite = path.as_ref().and_then(|path| rewrite(fields, path, findings));
        let intercept_errors = fields.flag("intercept_errors", findings);
        let compression = self.compression.of_route(fields, findings);
        let chosen = self.by_key.of(fields, findings);
        self.one_answers(fields, upstream, findings);
        Some(Route {
            hosts: hosts?,
            path: path?,
            to: page.map(To::Page).or(upstream.map(To::Upstream))?,
            rewrite,
            max_body: own.unwrap_or(self.limits.max_body),
            timeout: (!timeout.is_zero()).then_some(timeout),
            request_headers: overridden(&headers.request, &request),
            response_headers: overridden(&headers.response, &response),
            error_pages,
            intercept_errors,
            compression,
            rate_limits: chosen.rates,
            connection_limits: chosen.connections,
            place: fields.place,
        })
    }

    /// Either an upstream answers, or the gateway itself; and what is for the way to a backend
    /// needs a backend.
    fn one_answers(&self, fields: &Fields<'_>, upstream: Option<usize>, findings: &mut Findings) {
        match (fields.get("return"), fields.get("upstream")) {
            (Some(node), Some(_)) => {
                let help = "keep one of them: either an upstream answers, or the gateway itself";
                findings.error(node.place, "a route cannot have both `return` and `upstream`", help);
            }
            (None, None) => {
                let help = "add `upstream = \"name\"`, or `return = 404`";
                findings.error(fields.place, "a route needs `upstream` or `return`", help);
            }
            _ => {}
        }
        let pointless = ["rewrite", "request_headers", "intercept_errors", "timeout"];
        let pointless = pointless.iter().filter_map(|name| Some((name, fields.get(name)?)));
        for (name, node) in pointless.filter(|_| upstream.is_none() && fields.get("return").is_some()) {
            let message = format!("`{name}` has no effect beside `return`");
            findings.warning(node.place, message, "leave it out: no backend is asked");
        }
    }
}

/// What the backend gets in place of the path that the route is for.
fn rewrite(fields: &Fields<'_>, path: &PathPattern, findings: &mut Findings) -> Option<Rewrite> {
    let text = fields.text("rewrite", findings)?;
    if !text.text.starts_with(['/', '$']) {
        let message = format!("`{}` is not a path", text.text);
        findings.error(text.place, message, "it must begin with `/`");
        return None;
    }
    let with = template_with(text, path.expression(), findings)?;
    let prefix = match path {
        PathPattern::Prefix(prefix) | PathPattern::Final(prefix) => {
            if prefix.ends_with('/') != text.text.ends_with('/') {
                let message = "only one of `path` and `rewrite` ends with `/`";
                let help = "let both or none of them end so: `/api/x` with `path = \"/api/\"` and `rewrite = \"/v2\"` becomes `/v2x`";
                findings.warning(text.place, message, help);
            }
            Some(prefix.len())
        }
        _ => None,
    };
    Some(Rewrite { prefix, with })
}

fn upstream(fields: &Fields<'_>, upstreams: &[Named<'_>], findings: &mut Findings) -> Option<usize> {
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
    if text.text.starts_with('~') {
        return expression(text, findings);
    }
    let marked = |mark| text.text.strip_prefix(mark).map(str::trim_start);
    let (exact, last) = (marked("="), marked("^~"));
    let path = exact.or(last).unwrap_or(text.text);
    let help = match path {
        _ if !path.starts_with('/') => "it must begin with `/`; `= /x` is for the path `/x` alone",
        _ if path.contains(['?', '#']) => "write it without the query: routes look at the path alone",
        _ if path.contains(|c: char| c.is_ascii_control() || c == ' ') => {
            "spaces and control characters are encoded: `%20`"
        }
        _ if exact.is_some() => return Some(PathPattern::Exact(path.into())),
        _ if last.is_some() => return Some(PathPattern::Final(path.into())),
        _ => return Some(PathPattern::Prefix(path.into())),
    };
    findings.error(text.place, format!("`{}` is not a path that a route can serve", text.text), help);
    None
}

fn expression(text: Text<'_>, findings: &mut Findings) -> Option<PathPattern> {
    match Expression::new(text.text) {
        Ok(expression) => Some(PathPattern::Matching(expression)),
        Err(why) => {
            let message = format!("`{}` is not a regular expression: {why}", text.text);
            let help = "write `~ ` and an expression, `~* ` to ignore capitals; look-around and references back do not exist";
            findings.error(text.place, message, help);
            None
        }
    }
}

fn duplicates(routes: &[Route], findings: &mut Findings) {
    for (index, route) in routes.iter().enumerate() {
        let same = |other: &&Route| {
            other.path.clashes(&route.path) && other.hosts.iter().any(|host| route.hosts.contains(host))
        };
        if let Some(first) = routes[..index].iter().find(same) {
            let message = "two routes are for the same host and path";
            let help = "no request would reach this one: change its `host` or its `path`";
            let (place, other): (Place, Place) = (route.place, first.place);
            findings.error(place, message, help).with(other, "first written here");
        }
    }
}
