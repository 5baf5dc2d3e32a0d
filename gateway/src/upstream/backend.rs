//! One backend.

use std::sync::Arc;

use super::{Address, Resolver, Tls};
use crate::stats::BackendStats;

/// What makes a backend the same backend over reloads: its upstream and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Name of the upstream.
    pub upstream: Arc<str>,
    /// Name of the backend, as configured.
    pub backend: Box<str>,
}

/// One backend as a generation sees it: what was configured, beside statistics that outlive
/// generations.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name: the address exactly as configured. Hash rings are built from it.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// The addresses behind it; shared by all workers and generations.
    pub resolver: Arc<Resolver>,
    /// TLS, if connections begin with it; shared by all workers, and by generations that leave it
    /// as it is.
    pub tls: Option<Arc<Tls>>,
    /// Relative capacity, 1 to 65535.
    pub weight: u32,
    /// Only used when no other backend can be.
    pub backup: bool,
    /// Configured as out of service.
    pub down: bool,
    /// Where it stands.
    pub zone: Option<Box<str>>,
    /// Free labels, in the order of the configuration.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Its counters; shared by all workers and generations.
    pub stats: Arc<BackendStats>,
    /// Number of its connection pool in every worker; the same over reloads that leave the way to
    /// talk to it as it is.
    pub slot: usize,
}

impl Backend {
    /// A backend of which nothing is known but its address: weight 1, in service, fresh counters.
    #[must_use]
    pub fn new(name: &str, address: Address, slot: usize) -> Self {
        Self {
            name: name.into(),
            resolver: Resolver::new(&address),
            tls: None,
            address,
            weight: 1,
            backup: false,
            down: false,
            zone: None,
            labels: Vec::new(),
            stats: Arc::default(),
            slot,
        }
    }
}
