//! From what the user wrote to values that cannot be wrong. Every check says all that it finds.

mod checks;
mod compression;
mod headers;
mod health;
mod limit;
mod listen;
mod log;
mod page;
mod policy;
mod redirect;
mod route;
mod sticky;
mod template;
mod tls;
mod trust;
mod upstream;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::fields::{Fields, wrong_type};
use super::file::{Entry, File, Node, Value};
use super::keys::{self, Section};
use super::model::{Config, Limits, Pages, Sandbox};
use super::problems::Findings;
use crate::policy::usual_cache;

/// The top of one file: its keys, and the folder its paths start from.
pub(super) struct Top<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) folder: &'a Path,
}

impl<'a> Top<'a> {
    /// Refuses what `section` does not know.
    pub(super) fn new(section: &'static Section, file: &'a File, findings: &mut Findings) -> Self {
        let fields = Fields::new(section, &file.entries, file.place, &file.folder, findings);
        Self { fields, folder: &file.folder }
    }

    /// Whether anything is written under this name.
    fn has(&self, name: &str) -> bool {
        let empty = |node: &Node| matches!(&node.value, Value::List(list) if list.is_empty());
        self.fields.get(name).is_some_and(|node| !empty(node))
    }

    /// The tables `[[name]]`.
    fn tables(&self, section: &'static Section, name: &str, findings: &mut Findings) -> Vec<Fields<'a>> {
        let (Some(key), Some(node)) = (keys::TOP.key(name), self.fields.get(name)) else {
            return Vec::new();
        };
        let Value::List(list) = &node.value else {
            wrong_type::<()>(key, node, findings);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for node in list {
            match &node.value {
                Value::Table(entries) => {
                    tables.push(Fields::new(section, entries, node.place, self.folder, findings));
                }
                _ => drop(wrong_type::<()>(key, node, findings)),
            }
        }
        tables
    }

    /// The tables `[name.any]`, with the entry that names each.
    fn named(
        &self,
        section: &'static Section,
        name: &str,
        findings: &mut Findings,
    ) -> Vec<(&'a Entry, Option<Fields<'a>>)> {
        let (Some(key), Some(node)) = (keys::TOP.key(name), self.fields.get(name)) else {
            return Vec::new();
        };
        let Value::Table(entries) = &node.value else {
            wrong_type::<()>(key, node, findings);
            return Vec::new();
        };
        let mut fields = |entry: &'a Entry| match &entry.node.value {
            Value::Table(fields) => Some(Fields::new(section, fields, entry.place, self.folder, findings)),
            _ => wrong_type(key, &entry.node, findings),
        };
        entries.iter().map(|entry| (entry, fields(entry))).collect()
    }

    /// The table `[name]`; as if it were empty when it is not written.
    fn table(&self, section: &'static Section, name: &str, findings: &mut Findings) -> Fields<'a> {
        let node = self.fields.get(name);
        let entries = match (keys::TOP.key(name), node.map(|node| &node.value)) {
            (_, Some(Value::Table(entries))) => entries.as_slice(),
            (Some(key), Some(_)) => node.and_then(|node| wrong_type(key, node, findings)).unwrap_or_default(),
            _ => &[],
        };
        let place = node.map_or(self.fields.place, |node| node.place);
        Fields::new(section, entries, place, self.folder, findings)
    }
}

/// Checks everything. `tops` are the main file and then those it includes. What is returned must
/// only be used if there are no errors among the findings.
pub(super) fn config(main: &Top<'_>, tops: &[&Top<'_>], findings: &mut Findings) -> Config {
    let limit_fields = main.table(&keys::LIMITS, "limits", findings);
    let limits = limits(&limit_fields, findings);
    let by_key = limit::Limits::read(main, &limit_fields, findings);
    let (listen, admin) = listen::listeners(main, tops, findings);
    let (upstreams, headers) = upstream::upstreams(tops, findings);
    let error_pages = page::pages(&main.fields, &Pages::default(), None, findings);
    let compression = compression::Section::read(main, findings);
    let outer = route::Outer {
        upstreams: &upstreams,
        headers: &headers,
        limits: &limits,
        pages: &error_pages,
        compression: &compression,
        by_key: &by_key,
    };
    let routes = route::routes(main, tops, &outer, findings);
    let (rate_limits, connection_limits) = by_key.all();
    let top = &main.fields;
    Config {
        workers: workers(top, findings),
        policies: top.path("policies", findings).unwrap_or_default(),
        policy_cache: policy_cache(top, findings),
        control: top.path("control", findings).unwrap_or_default(),
        pid_file: top.path("pid_file", findings),
        user: top.text("user", findings).map(|text| text.text.to_owned()),
        quit_timeout: top.duration("quit_timeout", findings),
        resolve_interval: top.duration("resolve_interval", findings),
        admin,
        log: log::log(&main.table(&keys::LOG, "log", findings), findings),
        sandbox: sandbox(&main.table(&keys::SANDBOX, "sandbox", findings), findings),
        limits,
        error_pages,
        rate_limits,
        connection_limits,
        listen,
        routes,
        upstreams: upstreams.into_iter().filter_map(|named| named.upstream).collect(),
    }
}

fn workers(top: &Fields<'_>, findings: &mut Findings) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let written = top.number("workers", findings);
    written.and_then(|n| NonZeroUsize::new(usize::try_from(n).ok()?)).unwrap_or_else(cores)
}

/// The folder that is named, none for `off`, else the usual one.
fn policy_cache(top: &Fields<'_>, findings: &mut Findings) -> Option<PathBuf> {
    match top.text("policy_cache", findings) {
        Some(text) if text.text == "off" => None,
        Some(text) => top.path_of(text, findings),
        None => usual_cache(),
    }
}

fn sandbox(fields: &Fields<'_>, findings: &mut Findings) -> Sandbox {
    Sandbox {
        pick_deadline: fields.duration("pick_deadline", findings),
        init_deadline: fields.duration("init_deadline", findings),
        memory: fields.size("memory", findings).unwrap_or_default(),
        max_faults: fields.number("max_faults", findings).unwrap_or_default(),
        fault_window: fields.duration("fault_window", findings),
    }
}

fn limits(fields: &Fields<'_>, findings: &mut Findings) -> Limits {
    Limits {
        header_timeout: fields.duration("header_timeout", findings),
        body_timeout: fields.duration("body_timeout", findings),
        idle_timeout: fields.duration("idle_timeout", findings),
        send_timeout: fields.duration("send_timeout", findings),
        max_requests: fields.number("max_requests", findings).unwrap_or_default(),
        max_head: fields.size("max_head", findings).unwrap_or_default(),
        max_body: max_body(fields, findings).unwrap_or_default(),
        max_connections: fields.number("max_connections", findings).filter(|max| *max > 0),
        max_connections_per_client: fields
            .number("max_connections_per_client", findings)
            .filter(|max| *max > 0),
    }
}

/// As in nginx, 0 means that there is no limit.
fn max_body(fields: &Fields<'_>, findings: &mut Findings) -> Option<u64> {
    fields.size("max_body", findings).map(|bytes| if bytes == 0 { u64::MAX } else { bytes })
}
