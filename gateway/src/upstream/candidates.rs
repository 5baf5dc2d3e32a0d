//! The backends that may be chosen now.

use std::sync::Arc;

use super::Backend;
use crate::stats::{BackendStats, UpstreamStats};

/// A backend of the tier that candidates come from, fit or not.
#[derive(Clone, Debug)]
pub struct Member {
    /// The backend.
    pub backend: Arc<Backend>,
    /// Its index among the candidates, if it is one.
    pub candidate: Option<u32>,
}

/// The candidates of an upstream: those of its best non-empty tier that are fit. The gateway
/// filters here, once; policies only choose. An instance of a policy keeps one such list for life.
#[derive(Debug)]
pub struct Candidates {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// What is known of the upstream as a whole.
    pub stats: Arc<UpstreamStats>,
    /// The candidates; the index in this list is what policies choose by. Never empty when a
    /// policy is asked.
    pub backends: Box<[Arc<Backend>]>,
    /// The counters of each candidate: what a policy that scans reads, one step away.
    pub counters: Box<[Arc<BackendStats>]>,
    /// Where each candidate stands among all backends of the upstream.
    pub places: Box<[u32]>,
    /// All backends of the tier, in the order of the configuration.
    pub members: Box<[Member]>,
}

impl Candidates {
    /// Filters `backends`: those that are not down; primary ones if any is left, else backups.
    #[must_use]
    pub fn of(upstream: Arc<str>, stats: Arc<UpstreamStats>, backends: &[Arc<Backend>]) -> Self {
        let fit = |backup: bool| backends.iter().any(|b| b.backup == backup && !b.down);
        let backup = !fit(false) && fit(true);
        let (mut chosen, mut places) = (Vec::new(), Vec::new());
        let tier = backends.iter().enumerate().filter(|(_, b)| b.backup == backup);
        let members = tier.map(|(place, backend)| {
            let candidate = (!backend.down).then(|| {
                chosen.push(Arc::clone(backend));
                places.push(place as u32);
                chosen.len() as u32 - 1
            });
            Member { backend: Arc::clone(backend), candidate }
        });
        let members = members.collect();
        let counters = chosen.iter().map(|backend| Arc::clone(&backend.stats)).collect();
        Self { upstream, stats, backends: chosen.into(), counters, places: places.into(), members }
    }

    /// The same candidates with statistics of their own, which are what these are now and change
    /// only by `take_on`.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let stats = UpstreamStats::default();
        stats.take_on(self.stats.number());
        let counters = self.counters.iter().map(|live| Arc::new(BackendStats::of_numbers(&live.numbers())));
        Self {
            upstream: Arc::clone(&self.upstream),
            stats: Arc::new(stats),
            backends: self.backends.clone(),
            counters: counters.collect(),
            places: self.places.clone(),
            members: self.members.clone(),
        }
    }
}
