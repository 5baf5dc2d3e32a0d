//! What outlives generations.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::model;
use crate::policy::{Roster, Rules};
use crate::stats::{BackendStats, UpstreamStats};
use crate::upstream::{Backend, Identity, Resolver};

/// Everything that a reload must not reset: statistics, resolved names, connection pools, and
/// the books on policies. What no generation names any more is forgotten with the next commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    backends: HashMap<Identity, Lasting>,
    upstreams: HashMap<Arc<str>, (Arc<UpstreamStats>, Arc<Roster>)>,
    /// Slots are never used twice: a connection that a late request gives back must not end up
    /// in another backend's pool.
    next_slot: usize,
}

#[derive(Clone, Debug)]
struct Lasting {
    stats: Arc<BackendStats>,
    resolver: Arc<Resolver>,
    slot: usize,
}

impl Known {
    /// The backend that the configuration describes, with what is known of it.
    pub(super) fn backend(&mut self, upstream: &Arc<str>, configured: &model::Backend) -> Arc<Backend> {
        let identity = Identity { upstream: Arc::clone(upstream), backend: configured.name.clone() };
        let next_slot = &mut self.next_slot;
        let lasting = self.backends.entry(identity).or_insert_with(|| {
            *next_slot += 1;
            Lasting {
                stats: Arc::default(),
                resolver: Resolver::new(&configured.address),
                slot: *next_slot - 1,
            }
        });
        Arc::new(Backend {
            name: (&*configured.name).into(),
            address: configured.address.clone(),
            resolver: Arc::clone(&lasting.resolver),
            weight: configured.weight,
            backup: configured.backup,
            down: configured.down,
            zone: configured.zone.clone(),
            labels: configured.labels.clone(),
            stats: Arc::clone(&lasting.stats),
            slot: lasting.slot,
        })
    }

    /// The upstream's statistics and the book on its policy.
    pub(super) fn upstream(
        &mut self,
        name: &Arc<str>,
        rules: Rules,
        workers: usize,
    ) -> (Arc<UpstreamStats>, Arc<Roster>) {
        let entry = self.upstreams.entry(Arc::clone(name));
        let (stats, roster) = entry
            .or_insert_with(|| (Arc::default(), Arc::new(Roster::new(Arc::clone(name), rules, workers))));
        (Arc::clone(stats), Arc::clone(roster))
    }

    /// Forgets what is not in `upstreams` or does not satisfy `keep`.
    pub(super) fn retain(&mut self, upstreams: &[Arc<str>], keep: impl Fn(usize) -> bool) {
        self.upstreams.retain(|name, _| upstreams.contains(name));
        self.backends.retain(|_, lasting| keep(lasting.slot));
    }
}
