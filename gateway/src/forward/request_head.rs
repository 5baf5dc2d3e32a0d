//! The head of a request as a backend gets it.

use bytes::{BufMut, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::head_fields::{Fields, put};
use super::story::Story;
use super::{HeaderAction, HeaderRule};

/// What the gateway calls itself in `Via`.
const VIA: &str = "1.1 pointsman";

/// Writes the head: request line, the client's fields without those that end here, the fields
/// that tell the backend who asked, the route's own, and the framing made anew.
pub(super) fn write(story: &Story, chunked: bool, upgrades: bool, out: &mut BytesMut) {
    out.reserve(1024);
    let method = story.facts.method.as_str().as_bytes();
    put(out, &[method, b" ", story.backend_target().as_bytes(), b" HTTP/1.1\r\n"]);
    fields(story, upgrades, out);
    frame(story, chunked, out);
    out.put_slice(b"\r\n");
}

/// All fields but those that frame the body. `upgrades`: the request asks for another protocol,
/// which the backend may speak.
pub(super) fn fields(story: &Story, upgrades: bool, out: &mut impl Fields) {
    let facts = &story.facts;
    let rules: &[HeaderRule] = story.route.as_ref().map_or(&[], |route| &route.request_headers);
    let named = Named::by_connection(&facts.headers);
    let mut seen =
        Seen { proxied: story.is_behind_proxy(), drops_hops: !story.believes_hops(), ..Seen::default() };
    for (name, value) in &facts.headers {
        if !seen.ends_here(name.as_str(), value) && !named.contains(name) && !is_set(rules, name) {
            out.field(name.as_str(), value.as_bytes());
        }
    }
    if seen.host.is_none() && !is_set(rules, &header::HOST) {
        // HTTP/1.0 needs none, but what we speak does; nginx sends the upstream's name too.
        out.field("host", story.upstream().name.as_bytes());
    }
    match (upgrades.then(|| facts.headers.get(header::UPGRADE)).flatten(), named.wants_trailers) {
        (Some(protocol), _) => {
            out.field("upgrade", protocol.as_bytes());
            out.field("connection", b"upgrade");
        }
        (None, true) => out.want_trailers(),
        (None, false) => {}
    }
    forwarded(story, &seen, rules, out);
    set(story, rules, out);
}

/// What was seen in passing, of which the gateway writes its own form.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a HeaderValue>,
    hops: SmallVec<[&'a HeaderValue; 2]>,
    via: SmallVec<[&'a HeaderValue; 2]>,
    /// What a trusted proxy says about the hop before it, in place of what would be ours.
    proto: Option<&'a HeaderValue>,
    first_host: Option<&'a HeaderValue>,
    proxied: bool,
    drops_hops: bool,
}

impl<'a> Seen<'a> {
    /// Does the field end at the gateway (RFC 9110 section 7.6.1), or does the gateway write it?
    fn ends_here(&mut self, name: &str, value: &'a HeaderValue) -> bool {
        match name {
            "host" => {
                self.host = Some(value);
                return false;
            }
            "x-forwarded-for" | "forwarded" if self.drops_hops => {}
            "x-forwarded-for" => self.hops.push(value),
            "x-forwarded-proto" if self.proxied => self.proto = Some(value),
            "x-forwarded-host" if self.proxied => self.first_host = Some(value),
            "via" => self.via.push(value),
            "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "expect"
            | "proxy-authorization"
            | "http2-settings"
            | "x-forwarded-proto"
            | "x-forwarded-host"
            | "x-real-ip" => {}
            _ => return false,
        }
        true
    }
}

fn is_set(rules: &[HeaderRule], name: &HeaderName) -> bool {
    rules.iter().any(|rule| rule.replaces(name))
}

/// Fields that `Connection` names end here too.
struct Named<'a> {
    tokens: Vec<&'a str>,
    wants_trailers: bool,
}

impl<'a> Named<'a> {
    fn by_connection(headers: &'a HeaderMap) -> Self {
        if !headers.contains_key(header::CONNECTION) && !headers.contains_key(header::TE) {
            return Self { tokens: Vec::new(), wants_trailers: false };
        }
        let list = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let tokens = list(header::CONNECTION).flat_map(|value| value.split(',')).map(str::trim).collect();
        let mut codings = list(header::TE).flat_map(|value| value.split(','));
        let wants_trailers = codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers"));
        Self { tokens, wants_trailers }
    }

    fn contains(&self, name: &HeaderName) -> bool {
        // `Host` and the framing cannot be named away: the message would change its meaning.
        *name != header::HOST && self.tokens.iter().any(|token| token.eq_ignore_ascii_case(name.as_str()))
    }
}

/// Who asked, and how.
fn forwarded(story: &Story, seen: &Seen<'_>, rules: &[HeaderRule], out: &mut impl Fields) {
    let hop = story.peer.ip_text().as_bytes();
    let unset = |name: &'static str| rules.is_empty() || !is_set(rules, &HeaderName::from_static(name));
    if unset("x-forwarded-for") {
        out.list("x-forwarded-for", &seen.hops, hop);
    }
    if unset("x-real-ip") {
        out.field("x-real-ip", story.client_text().as_bytes());
    }
    if unset("x-forwarded-proto") {
        let ours = story.peer.scheme().as_bytes();
        out.field("x-forwarded-proto", seen.proto.map_or(ours, HeaderValue::as_bytes));
    }
    if let Some(host) = seen.first_host.or(seen.host)
        && unset("x-forwarded-host")
    {
        out.field("x-forwarded-host", host.as_bytes());
    }
    if unset("via") {
        out.list("via", &seen.via, VIA.as_bytes());
    }
}

/// The fields that the configuration sets or adds. One that renders to nothing is left out; what could
/// break the head (a line end out of a variable) leaves the field out too.
fn set(story: &Story, rules: &[HeaderRule], out: &mut impl Fields) {
    let wanted = |rule: &&HeaderRule| match rule.action {
        HeaderAction::Default(_) => !story.facts.headers.contains_key(&rule.name),
        _ => !ends_here_always(rule.name.as_str()),
    };
    let templates = rules.iter().filter(wanted);
    for (name, template) in templates.filter_map(|rule| Some((&rule.name, rule.action.template()?))) {
        story.worker.with_scratch(|value| {
            template.render(story, value);
            let legal = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
            if !value.is_empty() && legal {
                out.field(name.as_str(), value);
            }
        });
    }
}

/// Fields that even the configuration cannot set: they belong to the connection.
fn ends_here_always(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "content-length"
            | "te"
            | "upgrade"
    )
}

fn frame(story: &Story, chunked: bool, out: &mut BytesMut) {
    if chunked {
        out.put_slice(b"transfer-encoding: chunked\r\n");
    } else if story.declares_length() {
        let mut digits = itoa::Buffer::new();
        out.field("content-length", digits.format(story.facts.body_length.unwrap_or(0)).as_bytes());
    }
}
