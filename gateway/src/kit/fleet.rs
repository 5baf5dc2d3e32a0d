//! Made-up backends.

use std::sync::Arc;

use crate::stats::{BackendStats, UpstreamStats};
use crate::upstream::{Backend, Candidates};

/// The backends of one upstream, with statistics of their own.
#[derive(Clone)]
pub(super) struct Fleet {
    backends: Vec<Arc<Backend>>,
    stats: Arc<UpstreamStats>,
}

impl Fleet {
    /// So many backends of weight 1.
    pub(super) fn of(number: usize) -> Self {
        Self::weighted(&vec![1; number])
    }

    pub(super) fn weighted(weights: &[u32]) -> Self {
        let backends = weights.iter().enumerate().map(|(number, weight)| Arc::new(backend(number, *weight)));
        Self { backends: backends.collect(), stats: Arc::default() }
    }

    pub(super) fn stats(&self, index: usize) -> Arc<BackendStats> {
        Arc::clone(&self.backends[index].stats)
    }

    pub(super) fn upstream(&self) -> &UpstreamStats {
        &self.stats
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.backends[index].name
    }

    /// All of them as candidates.
    pub(super) fn candidates(&self) -> Arc<Candidates> {
        self.among(&self.backends)
    }

    /// One is out of service: it stays a member of the upstream, but is no candidate.
    pub(super) fn with_down(&self, index: usize) -> Arc<Candidates> {
        let mut backends = self.backends.clone();
        let down = Backend { down: true, ..backend(index, backends[index].weight) };
        backends[index] = Arc::new(down);
        self.among(&backends)
    }

    /// One has left the configuration.
    pub(super) fn without(&self, index: usize) -> Arc<Candidates> {
        let mut backends = self.backends.clone();
        backends.remove(index);
        self.among(&backends)
    }

    fn among(&self, backends: &[Arc<Backend>]) -> Arc<Candidates> {
        Arc::new(Candidates::of("test".into(), Arc::clone(&self.stats), backends))
    }
}

fn backend(number: usize, weight: u32) -> Backend {
    let name = format!("10.{}.{}.{}:8080", number >> 16, number >> 8 & 255, number & 255);
    let address = name.parse().unwrap_or_else(|_| unreachable!("an address and a port"));
    let mut backend = Backend::new(&name, address, number);
    backend.weight = weight;
    backend.zone = Some(["north", "south"][number % 2].into());
    backend
}
