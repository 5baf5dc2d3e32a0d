//! `[upstream.<name>]`.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::Top;
use super::checks;
use super::headers::{self, Way};
use super::health;
use super::listen::socket;
use super::policy::{canary, hash_key, policy, shadows};
use super::{redirect, sticky, tls};
use crate::config::fields::{Fields, Text, wrong_type};
use crate::config::file::{Entry, Node, Value};
use crate::config::keys::{self, BACKEND, PROTOCOLS};
use crate::config::model::{Backend, HeaderRule, Upstream, Version};
use crate::config::place::Place;
use crate::config::problems::Findings;
use crate::upstream::check::{Check, Probe};
use crate::upstream::{Address, Protocol};

/// A connection takes milliseconds; whoever waits longer than this meant another timeout.
const PATIENT: Duration = Duration::from_secs(60);

/// An upstream that somebody wrote. Its name counts even if something in it is wrong.
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) place: Place,
    pub(super) upstream: Option<Upstream>,
}

/// Header rules that an upstream hands to its routes.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) request: Vec<HeaderRule>,
    pub(super) response: Vec<HeaderRule>,
}

/// All upstreams, and their header rules in the same order.
pub(super) fn upstreams<'a>(tops: &[&Top<'a>], findings: &mut Findings) -> (Vec<Named<'a>>, Vec<Headers>) {
    let mut list: Vec<Named<'a>> = Vec::new();
    let mut headers = Vec::new();
    for top in tops {
        for (entry, fields) in top.named(&keys::UPSTREAM, "upstream", findings) {
            name(entry, &list, findings);
            let of = |f: &Fields<'_>, way, findings: &mut _| headers::rules(f, way, None, findings);
            headers.push(Headers {
                request: fields.as_ref().map(|f| of(f, Way::Request, findings)).unwrap_or_default(),
                response: fields.as_ref().map(|f| of(f, Way::Response, findings)).unwrap_or_default(),
            });
            let upstream = fields.and_then(|fields| upstream(entry, &fields, findings));
            list.push(Named { name: &entry.key, place: entry.place, upstream });
        }
    }
    (list, headers)
}

fn name(entry: &Entry, earlier: &[Named<'_>], findings: &mut Findings) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if entry.key.is_empty() || !entry.key.chars().all(legal) {
        let message = format!("`{}` cannot be the name of an upstream", entry.key);
        findings.error(entry.place, message, "names have letters, digits, `_`, `-` and `.`");
    }
    // Within one file TOML itself sees to this.
    if let Some(first) = earlier.iter().find(|named| named.name == entry.key) {
        let message = format!("there are two upstreams `{}`", entry.key);
        findings.error(entry.place, message, "rename one of them").with(first.place, "first written here");
    }
}

fn upstream(entry: &Entry, fields: &Fields<'_>, findings: &mut Findings) -> Option<Upstream> {
    let policy = policy(fields, findings);
    let hash_key = hash_key(fields, policy.as_ref(), findings);
    let tries = fields.number("tries", findings).unwrap_or_default();
    let idle = fields.number("idle_connections", findings).unwrap_or_default();
    let (backends, public): (Vec<Backend>, Vec<_>) = backends(fields, findings).into_iter().unzip();
    let tls = tls::of_upstream(fields, &backends, findings);
    let protocol = protocol(fields, findings);
    health::check_together(fields, policy.as_ref(), &backends, findings);
    let upstream = Upstream {
        name: entry.key.as_str().into(),
        backends,
        tls,
        protocol,
        policy: policy?,
        shadows: shadows(fields, findings),
        shadow_share: fields.share("shadow_share", findings).unwrap_or_default(),
        canary: canary(fields, findings),
        hash_key,
        connect_timeout: connect_timeout(fields, findings),
        send_timeout: fields.duration("send_timeout", findings),
        read_timeout: fields.duration("read_timeout", findings),
        idle_connections: usize::try_from(idle).unwrap_or(usize::MAX),
        idle_timeout: fields.duration("idle_timeout", findings),
        tries: NonZeroUsize::new(usize::try_from(tries).unwrap_or(usize::MAX)),
        retry: health::retry(fields, findings),
        ejection: health::ejection(fields, findings),
        check: checks::check(fields, findings),
        panic_threshold: health::number(fields, "panic_threshold", findings),
        queue: health::queue(fields, findings),
        sticky: sticky::sticky(fields, findings),
        proxy_protocol: proxy_protocol(fields, findings),
        redirect: redirect::redirect(fields, public, findings),
        place: entry.place,
    };
    if let Protocol::Http2 { .. } = upstream.protocol {
        fits_http2(&upstream, fields, findings);
    }
    Some(upstream)
}

/// What does not go together with backends that speak HTTP/2.
fn fits_http2(upstream: &Upstream, fields: &Fields<'_>, findings: &mut Findings) {
    if let (Some(_), Some(node)) = (upstream.proxy_protocol, fields.get("proxy_protocol")) {
        let message =
            "`proxy_protocol` names the client of a connection, and with `protocol = \"h2\"` many share one";
        findings.error(node.place, message, "leave one of them out");
    }
    if let (Some(Check { probe: Probe::Http(_), port: None, .. }), Some(node)) =
        (&upstream.check, fields.get("check"))
    {
        let message = "a check of type `http` speaks HTTP/1.1, and these backends are spoken to in HTTP/2";
        let help = "set `type = \"grpc\"` or `\"tcp\"`, or a `port` at which HTTP/1.1 is spoken";
        findings.warning(node.place, message, help);
    }
}

fn proxy_protocol(fields: &Fields<'_>, findings: &mut Findings) -> Option<Version> {
    let version = match fields.one_of("proxy_protocol", findings)? {
        "v1" => Version::V1,
        "v2" => Version::V2,
        _ => return None,
    };
    if let Some(node) = fields.get("idle_connections") {
        let message = "`idle_connections` has no effect with `proxy_protocol`";
        let help = "leave it out: each connection names one client, and ends with its request";
        findings.warning(node.place, message, help);
    }
    Some(version)
}

/// What is spoken with the backends.
fn protocol(fields: &Fields<'_>, findings: &mut Findings) -> Protocol {
    let streams = fields.number("max_streams", findings).unwrap_or_default();
    let text = fields.text("protocol", findings).filter(|text| !PROTOCOLS.contains(&text.text));
    if let Some(text) = text {
        let message = format!("`{}` is not spoken with backends", text.text);
        findings.error(text.place, message, "write `h2` (for gRPC too; without `tls` it is h2c), or `http1`");
    } else if fields.one_of("protocol", findings) == Some("h2") {
        return Protocol::Http2 { max_streams: usize::try_from(streams).unwrap_or(usize::MAX) };
    }
    if let Some(node) = fields.get("max_streams") {
        let message = "`max_streams` means nothing without `protocol = \"h2\"`";
        findings.warning(node.place, message, "HTTP/1.1 has one request at a time on a connection");
    }
    Protocol::Http1
}

fn connect_timeout(fields: &Fields<'_>, findings: &mut Findings) -> Duration {
    let timeout = fields.duration("connect_timeout", findings);
    if let Some(node) = fields.get("connect_timeout").filter(|_| timeout > PATIENT) {
        let seconds = timeout.as_secs();
        let message = format!(
            "`connect_timeout` is {seconds} seconds: that is how long a client waits for each dead backend"
        );
        findings.warning(node.place, message, "a few seconds are enough; slow answers need `read_timeout`");
    }
    timeout
}

/// The backends, and for each what clients are sent to.
type Backends = Vec<(Backend, Option<Box<str>>)>;

fn backends(fields: &Fields<'_>, findings: &mut Findings) -> Backends {
    let Some(node) = fields.required("backends", findings) else { return Vec::new() };
    let Value::List(nodes) = &node.value else {
        if let Some(key) = keys::UPSTREAM.key("backends") {
            wrong_type::<()>(key, node, findings);
        }
        return Vec::new();
    };
    let read: Backends = nodes.iter().filter_map(|node| backend(fields, node, findings)).collect();
    if nodes.is_empty() {
        let help = "add an address: `\"127.0.0.1:8001\"`";
        findings.error(node.place, "an upstream needs a backend", help);
    } else if read.len() == nodes.len() && read.iter().all(|(backend, _)| backend.down) {
        let help = "take `down = true` away from one of them";
        findings.error(node.place, "all backends of this upstream are down", help);
    }
    duplicates(&read, findings);
    read
}

fn duplicates(backends: &Backends, findings: &mut Findings) {
    for (index, (backend, _)) in backends.iter().enumerate() {
        let same = |(other, _): &&(Backend, _)| other.address == backend.address;
        if let Some((first, _)) = backends[..index].iter().find(same) {
            let message = format!("the backend `{}` stands here twice", backend.address);
            let help = "keep one of them; a `weight` gives it a larger share";
            findings.error(backend.place, message, help).with(first.place, "first written here");
        }
    }
}

fn backend(
    upstream: &Fields<'_>,
    node: &Node,
    findings: &mut Findings,
) -> Option<(Backend, Option<Box<str>>)> {
    let entries = match &node.value {
        Value::Table(entries) => entries.as_slice(),
        Value::Text { .. } => &[],
        Value::Unknown => return None,
        _ => {
            let message = format!("a backend cannot be {}", node.value.noun());
            let help = "write an address, or a table: `{ address = \"127.0.0.1:8001\", weight = 2 }`";
            findings.error(node.place, message, help);
            return None;
        }
    };
    let fields = upstream.inner(&BACKEND, entries, node.place, findings);
    let weight = weight(&fields, findings);
    let labels = fields.pairs("labels", findings);
    let (backup, down) = (fields.flag("backup", findings), fields.flag("down", findings));
    let public = fields.text("public", findings);
    let drain = fields.flag("drain", findings);
    let life = health::life(upstream, &fields, findings);
    let zone = fields.text("zone", findings).map(|zone| zone.text.into());
    let text = match node.as_text() {
        Some(text) => text,
        None => {
            fields.required("address", findings)?;
            fields.text("address", findings)?
        }
    };
    let address = address(&fields, text, findings)?;
    let public = redirect::public(public, &address, findings);
    let backend = Backend {
        name: text.text.into(),
        address,
        weight,
        backup,
        down,
        drain,
        passive: life.passive,
        max_conns: life.max_conns,
        slow_start: life.slow_start,
        zone,
        labels: labels.iter().map(|(entry, text)| (entry.key.as_str().into(), text.text.into())).collect(),
        place: text.place,
    };
    Some((backend, public))
}

fn weight(fields: &Fields<'_>, findings: &mut Findings) -> u32 {
    let weight = fields.number("weight", findings).unwrap_or_default();
    u32::try_from(weight).unwrap_or_default()
}

fn address(fields: &Fields<'_>, text: Text<'_>, findings: &mut Findings) -> Option<Address> {
    if let Some(path) = text.after("unix:") {
        return socket(fields, path, findings).map(Address::Unix);
    }
    match text.text.parse() {
        Ok(address) => Some(address),
        Err(why) => {
            let with_scheme = text.text.contains("://");
            let why = if with_scheme { "write host and port alone: `127.0.0.1:8001`" } else { why };
            findings.error(text.place, format!("`{}` is not the address of a backend", text.text), why);
            None
        }
    }
}
