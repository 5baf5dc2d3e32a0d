//! `tls = { ... }`, towards clients and towards backends. The files that it names are read here:
//! what is wrong with them is wrong with the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use crate::certificate::{Flaw, Identity, Trust, Versions};
use crate::config::fields::{Fields, Text, wrong_type};
use crate::config::file::{Node, Value};
use crate::config::keys::{self, CERTIFICATE, LISTEN_TLS, Section, UPSTREAM_TLS};
use crate::config::model::Backend;
use crate::config::nearest::did_you_mean;
use crate::config::place::Place;
use crate::config::problems::Findings;
use crate::listen::tls::{Clients, Settings};
use crate::upstream::{Address, TlsSettings, Verify};

/// TLS of a listener. The first says that it is written and wrong: then the listener must not be
/// taken for one in clear text.
pub(super) fn of_listener(listener: &Fields<'_>, findings: &mut Findings) -> (bool, Option<Settings>) {
    let Some(node) = listener.get("tls") else { return (false, None) };
    let settings = table(listener, &keys::LISTEN, &LISTEN_TLS, node, findings)
        .and_then(|fields| settings(&fields, findings));
    (settings.is_none(), settings)
}

fn table<'a>(
    outer: &Fields<'a>,
    outer_section: &'static Section,
    section: &'static Section,
    node: &'a Node,
    findings: &mut Findings,
) -> Option<Fields<'a>> {
    match &node.value {
        Value::Table(entries) => Some(outer.inner(section, entries, node.place, findings)),
        _ => wrong_type(outer_section.key("tls")?, node, findings),
    }
}

fn settings(fields: &Fields<'_>, findings: &mut Findings) -> Option<Settings> {
    let versions = versions(fields, findings);
    let http2 = fields.flag("http2", findings);
    let handshake_timeout = fields.duration("handshake_timeout", findings);
    let clients = clients(fields, findings);
    let identities = identities(fields, findings);
    let clients = match clients {
        Wanted::Wrong => return None,
        Wanted::Not => None,
        Wanted::Is(clients) => Some(clients),
    };
    Some(Settings { identities: identities?, versions: versions?, http2, clients, handshake_timeout })
}

/// Something optional that may be wrong.
enum Wanted<T> {
    Not,
    Wrong,
    Is(T),
}

fn identities(fields: &Fields<'_>, findings: &mut Findings) -> Option<Vec<Arc<Identity>>> {
    let (mut list, mut wrong) = (Vec::new(), false);
    match identity(fields, findings) {
        Wanted::Is(first) => list.push(first),
        Wanted::Wrong => wrong = true,
        Wanted::Not => {}
    }
    for node in certificates(fields, findings) {
        let Value::Table(entries) = &node.value else {
            let message = format!("a certificate cannot be {}", node.value.noun());
            findings.error(node.place, message, "write `{ certificate = \"chain.pem\", key = \"key.pem\" }`");
            wrong = true;
            continue;
        };
        let inner = fields.inner(&CERTIFICATE, entries, node.place, findings);
        if inner.required("certificate", findings).is_none() {
            // What is wrong with the other key is said all the same.
            inner.path("key", findings);
            wrong = true;
            continue;
        }
        match identity(&inner, findings) {
            Wanted::Is(next) => list.push(next),
            _ => wrong = true,
        }
    }
    if list.is_empty() && !wrong {
        let help = "add `certificate = \"chain.pem\"` and `key = \"key.pem\"`";
        findings.error(fields.place, "TLS of a listener needs a certificate", help);
    }
    (!wrong && !list.is_empty()).then_some(list)
}

fn certificates<'a>(fields: &Fields<'a>, findings: &mut Findings) -> &'a [Node] {
    match (fields.get("certificates"), LISTEN_TLS.key("certificates")) {
        (Some(Node { value: Value::List(list), .. }), _) => list,
        (Some(node), Some(key)) => {
            wrong_type::<()>(key, node, findings);
            &[]
        }
        _ => &[],
    }
}

/// `certificate` and `key` of a table, read.
fn identity(fields: &Fields<'_>, findings: &mut Findings) -> Wanted<Arc<Identity>> {
    let Some(node) = fields.get("certificate") else {
        // Also complains of the type of `key`.
        if let Some(key) = fields.text("key", findings) {
            let message = "a `key` without its `certificate`";
            findings.error(key.place, message, "add `certificate = \"chain.pem\"`");
            return Wanted::Wrong;
        }
        return if fields.get("key").is_some() { Wanted::Wrong } else { Wanted::Not };
    };
    let (chain, key) = (fields.path("certificate", findings), fields.path("key", findings));
    let Some(chain) = chain else { return Wanted::Wrong };
    let key = match (key, fields.get("key")) {
        (Some(key), _) => key,
        (None, None) => chain.clone(),
        (None, Some(_)) => return Wanted::Wrong,
    };
    match Identity::read(&chain, &key) {
        Ok(identity) => {
            look_at(&identity, node.place, findings);
            Wanted::Is(identity)
        }
        Err(flaw) => {
            let of_key = flaw.file == key && key != chain;
            let place = fields.get("key").filter(|_| of_key).unwrap_or(node).place;
            spoilt(&flaw, place, findings);
            Wanted::Wrong
        }
    }
}

fn spoilt(flaw: &Flaw, place: Place, findings: &mut Findings) {
    findings.error(place, format!("cannot use {flaw}"), flaw.help);
}

/// What is suspicious about a certificate that can be used.
fn look_at(identity: &Identity, place: Place, findings: &mut Findings) {
    if let Some(complaint) = identity.complaint() {
        let message = format!("the certificate of {} {complaint}", shown(&identity.facts.names));
        findings.warning(place, message, "renew it; the new file is taken up by itself");
    }
    if !identity.facts.listed {
        let message = "this certificate names its host in the common name alone";
        let help =
            "have one made with a `subjectAltName`: clients have not looked at the common name for years";
        findings.warning(place, message, help);
    }
}

fn shown(names: &[Box<str>]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    }
}

fn clients(fields: &Fields<'_>, findings: &mut Findings) -> Wanted<Clients> {
    let demand = fields.one_of("client_certificate", findings);
    let Some(node) = fields.get("client_ca") else {
        if let Some(written) = fields.get("client_certificate") {
            let message = "`client_certificate` means nothing without the authorities to believe";
            findings.error(written.place, message, "add `client_ca = \"ca.pem\"`");
            return Wanted::Wrong;
        }
        return Wanted::Not;
    };
    match (trust(fields, "client_ca", node.place, findings), demand) {
        (Some(trust), Some(demand)) => Wanted::Is(Clients { trust, required: demand == "required" }),
        _ => Wanted::Wrong,
    }
}

fn trust(fields: &Fields<'_>, name: &str, place: Place, findings: &mut Findings) -> Option<Arc<Trust>> {
    let path: PathBuf = fields.path(name, findings)?;
    Trust::read(&path).map_err(|flaw| spoilt(&flaw, place, findings)).ok()
}

/// Names of versions, as nginx writes them.
const VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];

fn versions(fields: &Fields<'_>, findings: &mut Findings) -> Option<Versions> {
    let Some(node) = fields.get("protocols") else { return Some(Versions::Both) };
    let texts = fields.texts("protocols", findings);
    // nginx's users know them as words of one line.
    let words: Vec<(&str, Text<'_>)> =
        texts.iter().flat_map(|text| text.text.split_whitespace().map(|word| (word, *text))).collect();
    let mut wrong = false;
    for (word, text) in words.iter().filter(|(word, _)| !VERSIONS.contains(word)) {
        wrong = true;
        let help = match *word {
            "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.0" | "TLSv1.1" => {
                "it has been broken for years (RFC 8996): `TLSv1.2` and `TLSv1.3` are left".to_owned()
            }
            word => match did_you_mean(word, VERSIONS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `TLSv1.2`, `TLSv1.3` or both".to_owned(),
            },
        };
        findings.error(text.place, format!("`{word}` is not spoken here"), help);
    }
    let has = |version| words.iter().any(|(word, _)| *word == version);
    match (has(VERSIONS[0]), has(VERSIONS[1])) {
        _ if wrong => None,
        (true, true) => Some(Versions::Both),
        (true, false) => Some(Versions::Tls12),
        (false, true) => Some(Versions::Tls13),
        (false, false) => {
            if texts.is_empty() && !matches!(&node.value, Value::List(list) if list.is_empty()) {
                return None;
            }
            let help = "write `TLSv1.2`, `TLSv1.3` or both, or leave `protocols` out";
            findings.error(node.place, "no version of TLS is left", help);
            None
        }
    }
}

/// TLS towards the backends of an upstream.
pub(super) fn of_upstream(
    upstream: &Fields<'_>,
    backends: &[Backend],
    findings: &mut Findings,
) -> Option<TlsSettings> {
    let node = upstream.get("tls")?;
    let entries = match &node.value {
        Value::Flag(false) => return None,
        Value::Flag(true) => &[][..],
        Value::Table(entries) => entries.as_slice(),
        _ => return wrong_type(keys::UPSTREAM.key("tls")?, node, findings),
    };
    let fields = upstream.inner(&UPSTREAM_TLS, entries, node.place, findings);
    let versions = versions(&fields, findings);
    let verify = verify(&fields, node.place, findings);
    let server_name = server_name(&fields, backends, findings);
    let identity = match identity(&fields, findings) {
        Wanted::Is(identity) => Some(identity),
        Wanted::Not => None,
        Wanted::Wrong => return None,
    };
    Some(TlsSettings { server_name: server_name?, verify: verify?, identity, versions: versions? })
}

fn verify(fields: &Fields<'_>, place: Place, findings: &mut Findings) -> Option<Verify> {
    let verify = fields.flag("verify", findings);
    let ca = fields.get("ca");
    if !verify {
        if let Some(ca) = ca {
            fields.path("ca", findings);
            let message = "`ca` means nothing with `verify = false`";
            findings.warning(ca.place, message, "take `verify = false` away");
        }
        let place = fields.get("verify").map_or(place, |node| node.place);
        let message = "with `verify = false` anybody between the gateway and its backends can read and change everything";
        findings.warning(
            place,
            message,
            "give the authority that signed their certificates: `ca = \"ca.pem\"`",
        );
        return Some(Verify::Nothing);
    }
    match ca {
        Some(ca) => trust(fields, "ca", ca.place, findings).map(Verify::By),
        None => match Trust::of_the_system() {
            Ok(trust) => Some(Verify::By(trust)),
            Err(why) => {
                findings.error(place, why, "install `ca-certificates`, or write `ca = \"ca.pem\"`");
                None
            }
        },
    }
}

/// The name that backends must have a certificate for. The outer none is an error.
#[allow(clippy::option_option, reason = "wrong, not written, written")]
fn server_name(
    fields: &Fields<'_>,
    backends: &[Backend],
    findings: &mut Findings,
) -> Option<Option<ServerName<'static>>> {
    if let Some(text) = fields.text("server_name", findings) {
        let name = ServerName::try_from(text.text.to_owned());
        if name.is_err() {
            let message = format!("`{}` is not a name that a certificate could be for", text.text);
            findings.error(text.place, message, "write a host without port: `api.internal`");
        }
        return name.ok().map(Some);
    }
    if fields.get("server_name").is_some() {
        return None;
    }
    let nameless = backends.iter().find(|backend| match &backend.address {
        Address::Tcp { host, .. } => ServerName::try_from(host.to_string()).is_err(),
        Address::Unix(_) => true,
    });
    if let Some(backend) = nameless {
        let message = format!("no certificate could be for the backend `{}`", backend.name);
        let help = "say for what name its certificate is: `tls = { server_name = \"api.internal\" }`";
        findings.error(backend.place, message, help);
        return None;
    }
    Some(None)
}
