//! Configuration values in the form of the rooms that use them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use crate::config::model;
use crate::listen::{self, Capacity};
use crate::observe::{AccessLog, Format, Target};
use crate::template::Escape;

/// What may help somebody whose address could not be bound.
pub(super) fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 and some folders need privileges",
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => "",
    }
}

/// Limits towards clients, for the listen room.
pub(super) fn settings(config: &model::Config, capacity: &Arc<Capacity>) -> listen::Settings {
    let limits = &config.limits;
    let trust = config.listen.iter().filter_map(|listener| {
        let trust = listener.trust.as_ref()?;
        Some((listener.address.clone(), Arc::new(trust.clone())))
    });
    capacity.set(limits.max_connections, limits.max_connections_per_client);
    listen::Settings {
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        send_timeout: limits.send_timeout,
        max_requests: match limits.max_requests {
            0 => u64::MAX,
            most => most,
        },
        max_head: usize::try_from(limits.max_head).unwrap_or(usize::MAX),
        capacity: Arc::clone(capacity),
        trust: Arc::new(trust.collect()),
    }
}

/// Where the gateway's own log goes.
pub(super) fn log_target(log: &model::Log) -> Target {
    log.file.as_ref().map_or(Target::Stderr, |path| Target::File(path.clone()))
}

/// Opens the access log, if there is to be one.
///
/// # Errors
/// The file cannot be opened.
pub(super) fn open_access_log(log: &model::Log) -> std::io::Result<Option<AccessLog>> {
    let target = match &log.access {
        model::AccessLog::Off => return Ok(None),
        model::AccessLog::Stdout => Target::Stdout,
        model::AccessLog::File(path) => Target::File(path.clone()),
    };
    let format = match &log.format {
        model::LogFormat::Combined => Format::combined(),
        model::LogFormat::Json => Format::json(),
        model::LogFormat::Text(template) => Format::text(template.clone(), Escape::Text),
    };
    AccessLog::open(&target, format).map(Some)
}

/// Would the access log be the same?
pub(super) fn same_log(old: &model::Log, new: &model::Log) -> bool {
    old.access == new.access && format!("{:?}", old.format) == format!("{:?}", new.format)
}

/// 53 unpredictable bits. The standard library's hasher is seeded by the system for each process
/// and changes with each use.
pub(super) fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish() & ((1 << 53) - 1)
}
