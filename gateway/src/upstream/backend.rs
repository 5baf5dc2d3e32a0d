//! One backend.

use std::sync::Arc;
use std::time::Duration;

use super::health::{Condition, Passive, State};
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
    /// Configured to take no new clients.
    pub drain: bool,
    /// When failures take it out, in nginx's way.
    pub passive: Passive,
    /// Most attempts at a time, over all workers.
    pub max_conns: Option<u32>,
    /// How long it takes to its full weight when it comes back; zero: it has it at once.
    pub slow_start: Duration,
    /// Where it stands.
    pub zone: Option<Box<str>>,
    /// Free labels, in the order of the configuration.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Its counters; shared by all workers and generations.
    pub stats: Arc<BackendStats>,
    /// Its health; shared by all workers and generations.
    pub condition: Arc<Condition>,
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
            drain: false,
            passive: Passive::default(),
            max_conns: None,
            slow_start: Duration::ZERO,
            zone: None,
            labels: Vec::new(),
            stats: Arc::default(),
            condition: Arc::default(),
            slot,
        }
    }

    /// Does the operator want it to serve new clients?
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        !self.down && !self.drain && !self.condition.is_draining()
    }

    /// How it stands, in one word.
    #[must_use]
    pub fn state(&self) -> State {
        match self.condition.state() {
            _ if self.down => State::Down,
            _ if self.drain => State::Draining,
            state => state,
        }
    }

    /// Its weight at time `now`, in hundredths: while it starts slowly it has a part of its own.
    /// None when it has all of it.
    #[must_use]
    pub fn rising_weight(&self, now: u64) -> Option<u32> {
        let back_since = self.condition.back_since();
        let ramp = u64::try_from(self.slow_start.as_micros()).unwrap_or(u64::MAX);
        let age = now.saturating_sub(back_since);
        let rising = ramp > 0 && back_since > 0 && age < ramp;
        // Never nothing: who gets no request cannot warm up.
        rising.then(|| (u64::from(self.weight) * 100 * age / ramp).max(1) as u32)
    }
}
