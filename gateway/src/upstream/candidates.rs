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
    /// Weight of each candidate now. While one of them starts slowly, all are a hundredfold.
    pub weights: Box<[u32]>,
    /// Where each candidate stands among all backends of the upstream.
    pub places: Box<[u32]>,
    /// All backends of the tier, in the order of the configuration.
    pub members: Box<[Member]>,
    /// Too few are well, so that health does not count: better a bad backend than none.
    pub panic: bool,
    /// Does one of them start slowly? Then the weights change with time.
    pub rising: bool,
}

/// Which tier serves, and whether health counts there.
#[derive(Clone, Copy)]
struct Tier {
    backup: bool,
    panic: bool,
}

impl Candidates {
    /// Filters `backends` by what is configured alone: those that are in service; primary ones if
    /// any is left, else backups.
    #[must_use]
    pub fn of(upstream: Arc<str>, stats: Arc<UpstreamStats>, backends: &[Arc<Backend>]) -> Self {
        let in_service = |backup: bool| backends.iter().any(|b| b.backup == backup && !b.down);
        let tier = Tier { backup: !in_service(false) && in_service(true), panic: false };
        Self::select(upstream, stats, backends, tier, |backend| !backend.down, 0)
    }

    /// Filters by health too, at time `now`. A tier in which less than `panic_threshold` percent
    /// of the backends in service are well serves with all of them (Envoy's panic threshold), and
    /// so does the first one when nobody is well anywhere.
    #[must_use]
    pub fn now(
        upstream: Arc<str>,
        stats: Arc<UpstreamStats>,
        backends: &[Arc<Backend>],
        panic_threshold: u32,
        now: u64,
    ) -> Self {
        let tier = choose_tier(backends, panic_threshold as usize);
        let fit = |backend: &Backend| backend.is_in_service() && (tier.panic || backend.condition.is_well());
        Self::select(upstream, stats, backends, tier, fit, now)
    }

    fn select(
        upstream: Arc<str>,
        stats: Arc<UpstreamStats>,
        backends: &[Arc<Backend>],
        Tier { backup, panic }: Tier,
        is_fit: impl Fn(&Backend) -> bool,
        now: u64,
    ) -> Self {
        let (mut chosen, mut places) = (Vec::new(), Vec::new());
        let tier = backends.iter().enumerate().filter(|(_, b)| b.backup == backup);
        let members = tier.map(|(place, backend)| {
            let candidate = is_fit(backend).then(|| {
                chosen.push(Arc::clone(backend));
                places.push(place as u32);
                chosen.len() as u32 - 1
            });
            Member { backend: Arc::clone(backend), candidate }
        });
        let members = members.collect();
        let counters = chosen.iter().map(|backend| Arc::clone(&backend.stats)).collect();
        let (weights, rising) = weights(&chosen, now);
        let (backends, places) = (chosen.into(), places.into());
        Self { upstream, stats, backends, counters, weights, places, members, panic, rising }
    }

    /// Would instances see a difference?
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> bool {
        let slots =
            |list: &Self| list.members.iter().map(|m| (m.backend.slot, m.candidate)).collect::<Vec<_>>();
        self.weights != other.weights || self.panic != other.panic || slots(self) != slots(other)
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
            weights: self.weights.clone(),
            places: self.places.clone(),
            members: self.members.clone(),
            panic: self.panic,
            rising: self.rising,
        }
    }
}

fn choose_tier(backends: &[Arc<Backend>], panic_threshold: usize) -> Tier {
    let count = |backup: bool| {
        let tier = backends.iter().filter(|b| b.backup == backup && b.is_in_service());
        tier.fold((0, 0), |(all, well), b| (all + 1, well + usize::from(b.condition.is_well())))
    };
    for backup in [false, true] {
        let (all, well) = count(backup);
        if well > 0 {
            return Tier { backup, panic: well * 100 < all * panic_threshold };
        }
    }
    let nobody = |backup| count(backup).0 == 0;
    let backup = nobody(false) && !nobody(true);
    Tier { backup, panic: !nobody(backup) }
}

/// Weights at time `now`, and whether they will change by themselves. The smallest share of a
/// weight is one, so weights are made larger while shares of them are needed.
fn weights(chosen: &[Arc<Backend>], now: u64) -> (Box<[u32]>, bool) {
    let rising = chosen.iter().any(|backend| backend.rising_weight(now).is_some());
    if !rising {
        return (chosen.iter().map(|backend| backend.weight).collect(), false);
    }
    let hundredths = |backend: &Arc<Backend>| backend.rising_weight(now).unwrap_or(backend.weight * 100);
    let all: Vec<u32> = chosen.iter().map(hundredths).collect();
    // Policies are promised weights up to 65,535.
    let shrink = all.iter().max().map_or(1, |most| most.div_ceil(65_535));
    (all.iter().map(|weight| (weight / shrink).max(1)).collect(), true)
}

#[cfg(test)]
mod tests;
