//! Who may be chosen: what follows from health and from an operator's wish.

use std::sync::Arc;

use super::{Control, Refused};
use crate::app::build::{Making, candidates_now};
use crate::stats::clock;
use crate::upstream::Candidates;

impl Control {
    /// Takes up changes in who is fit: pickers that know the new candidates are prepared here and
    /// handed to the workers. True while weights change by themselves (slow start).
    pub(in crate::app) fn tend(&mut self) -> bool {
        let mut rising = false;
        for index in 0..self.makings.len() {
            let candidates = candidates_now(&self.generation.upstreams[index]);
            rising |= candidates.rising;
            if candidates.differs_from(&self.makings[index].candidates) {
                self.change_candidates(index, candidates);
            }
        }
        rising
    }

    pub(in crate::app) fn change_candidates(&mut self, index: usize, candidates: Candidates) {
        let Making { upstream, candidates: before, .. } = &self.makings[index];
        match (before.panic, candidates.panic) {
            (false, true) => {
                tracing::warn!(
                    "upstream {upstream}: too few backends are well: until there are more, all serve"
                );
            }
            (true, false) => tracing::info!("upstream {upstream}: enough backends are well again"),
            _ => {}
        }
        let candidates = Arc::new(candidates);
        let workers = self.loaded.config.workers.get();
        for shadow in &mut self.makings[index].shadows {
            // A book counts by candidate.
            shadow.book = self.known.shadow(&candidates, &shadow.policy, &shadow.options, workers);
        }
        self.makings[index].candidates = candidates;
        self.renew_pickers(index, None);
        self.generation.upstreams[index].queue.stir();
    }

    /// Takes no new clients to a backend, or takes them again.
    ///
    /// # Errors
    /// There is no such backend.
    pub(in crate::app) fn drain(
        &self,
        upstream: &str,
        backend: &str,
        drain: bool,
    ) -> Result<String, Refused> {
        let found = self.generation.upstreams.iter().find(|known| &*known.name == upstream);
        let upstream = found.ok_or_else(|| {
            let names = self.generation.upstreams.iter().map(|known| &*known.name).collect::<Vec<_>>();
            format!("there is no upstream `{upstream}`; there are: {}", names.join(", "))
        })?;
        let found = upstream.backends.iter().find(|known| &*known.name == backend);
        let backend = found.ok_or_else(|| {
            let names = upstream.backends.iter().map(|known| &*known.name).collect::<Vec<_>>();
            format!("upstream `{}` has no backend `{backend}`; it has: {}", upstream.name, names.join(", "))
        })?;
        let changed = upstream.health.set_draining(backend, drain, clock::now());
        let (name, in_flight) = (&backend.name, backend.stats.in_flight());
        Ok(match (drain, changed) {
            (true, true) => format!("{name} is being drained; in flight: {in_flight}"),
            (true, false) => format!("{name} is being drained already; in flight: {in_flight}"),
            (false, true) if backend.drain => format!("{name} is still drained by the configuration"),
            (false, true) => format!("{name} takes requests again"),
            (false, false) => format!("{name} was not being drained by command"),
        })
    }
}
