//! A policy that is asked and not obeyed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Ask, Choice, Decision, Facts, Fault, Instance, Policy};
use crate::stats::Outcome;

/// One pick in so many is timed, as with the policy that decides.
const TIMED: u64 = 64;

/// What one shadow has shown, over all workers.
#[derive(Debug)]
pub struct ShadowBook {
    policy: Arc<Policy>,
    options: Box<str>,
    /// Names of the candidates, by their indices.
    backends: Box<[Arc<str>]>,
    tallies: Box<[Tally]>,
    faults: AtomicU64,
    last_fault: Mutex<Option<String>>,
}

/// What one worker counts. Only it writes: a load and a store instead of a locked addition.
#[derive(Debug)]
#[repr(align(128))]
struct Tally {
    picks: AtomicU64,
    agreed: AtomicU64,
    timed: AtomicU64,
    nanos: AtomicU64,
    chosen: Box<[AtomicU64]>,
}

/// What one shadow has shown so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShadowTotals {
    /// Picks that it was asked for.
    pub picks: u64,
    /// Those in which it named whom the gateway chose.
    pub agreed: u64,
    /// Mean duration of one of its picks, nanoseconds.
    pub nanos: u64,
    /// For each candidate by name how often it would have been chosen.
    pub chosen: Vec<(Arc<str>, u64)>,
    /// Most of these relative to what the weights are for; 1 is perfect.
    pub imbalance: f64,
    /// Faults. Each ends the shadow in its worker until the next reload.
    pub faults: u64,
    /// The last of them.
    pub last_fault: Option<String>,
}

impl ShadowBook {
    /// An empty book for a policy that was tried.
    #[must_use]
    pub fn new(policy: Arc<Policy>, options: &str, backends: Box<[Arc<str>]>, workers: usize) -> Self {
        let tally = || Tally {
            picks: AtomicU64::new(0),
            agreed: AtomicU64::new(0),
            timed: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            chosen: backends.iter().map(|_| AtomicU64::new(0)).collect(),
        };
        let tallies = (0..workers.max(1)).map(|_| tally()).collect();
        Self {
            policy,
            options: options.into(),
            backends,
            tallies,
            faults: AtomicU64::new(0),
            last_fault: Mutex::default(),
        }
    }

    /// Is it about this version with these options over these candidates? Then it goes on.
    #[must_use]
    pub fn fits(&self, policy: &Policy, options: &str, backends: &[Arc<str>], workers: usize) -> bool {
        let same = self.policy.name() == policy.name() && self.policy.version() == policy.version();
        same && &*self.options == options && *self.backends == *backends && self.tallies.len() == workers
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What it has shown. `weights` of the candidates by their indices.
    #[must_use]
    pub fn totals(&self, weights: &[u32]) -> ShadowTotals {
        let sum = |of: fn(&Tally) -> &AtomicU64| {
            self.tallies.iter().map(|tally| of(tally).load(Relaxed)).sum::<u64>()
        };
        let chosen = |index: usize| self.tallies.iter().map(|tally| tally.chosen[index].load(Relaxed)).sum();
        let chosen: Vec<(Arc<str>, u64)> =
            self.backends.iter().enumerate().map(|(index, name)| (Arc::clone(name), chosen(index))).collect();
        ShadowTotals {
            picks: sum(|tally| &tally.picks),
            agreed: sum(|tally| &tally.agreed),
            nanos: sum(|tally| &tally.nanos).checked_div(sum(|tally| &tally.timed)).unwrap_or(0),
            imbalance: imbalance(&chosen, weights),
            chosen,
            faults: self.faults.load(Relaxed),
            last_fault: self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn failed(&self, fault: &Fault) {
        self.faults.fetch_add(1, Relaxed);
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.to_string());
    }
}

/// The largest of the shares that backends would have had, each relative to its weight's.
fn imbalance(chosen: &[(Arc<str>, u64)], weights: &[u32]) -> f64 {
    let (picks, weight) = (chosen.iter().map(|(_, count)| count).sum::<u64>(), weights.iter().sum::<u32>());
    if picks == 0 || weight == 0 {
        return 1.0;
    }
    let relative = |((_, count), own): (&(Arc<str>, u64), &u32)| {
        *count as f64 * f64::from(weight) / (picks as f64 * f64::from((*own).max(1)))
    };
    chosen.iter().zip(weights).map(relative).fold(0.0, f64::max)
}

/// A shadow in one worker.
pub struct Shadow {
    instance: Option<Instance>,
    book: Arc<ShadowBook>,
    worker: usize,
    lots: Lots,
}

/// Draws a share of all picks.
#[derive(Debug)]
pub(super) struct Lots {
    state: u64,
    /// Of 2^32.
    below: u64,
}

impl Lots {
    pub(super) fn new(share: f64, seed: u64) -> Self {
        Self { state: seed, below: (share.clamp(0.0, 1.0) * f64::from(u32::MAX)).round() as u64 }
    }

    /// Is it this one?
    pub(super) fn draw(&mut self) -> bool {
        if self.below == u64::from(u32::MAX) {
            return true;
        }
        // Knuth's generator; its upper half is good enough to sample with.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 32 < self.below
    }
}

impl Shadow {
    /// A shadow that is asked for a `share` (0 to 1) of the picks of a worker.
    #[must_use]
    pub fn new(instance: Instance, book: Arc<ShadowBook>, worker: usize, share: f64, seed: u64) -> Self {
        Self { instance: Some(instance), book, worker, lots: Lots::new(share, seed) }
    }

    /// Asks what it would have chosen where the gateway came to `decision`.
    pub(super) fn pick(&mut self, ask: &Ask, facts: &mut Facts, decision: Decision) {
        let Some(instance) = &mut self.instance else { return };
        if !self.lots.draw() {
            return;
        }
        let tally = &self.book.tallies[self.worker % self.book.tallies.len()];
        let picks = tally.picks.load(Relaxed);
        tally.picks.store(picks + 1, Relaxed);
        let began = picks.is_multiple_of(TIMED).then(Instant::now);
        let choice = instance.pick(ask, facts);
        if let Some(began) = began {
            add(&tally.timed, 1);
            add(&tally.nanos, u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        match choice {
            Ok(Choice::Backend(index)) => {
                if let Some(chosen) = tally.chosen.get(index as usize) {
                    add(chosen, 1);
                }
                if decision == Decision::Candidate(index) {
                    add(&tally.agreed, 1);
                }
            }
            Ok(Choice::Reject(status)) if decision == Decision::Reject(status) => add(&tally.agreed, 1),
            Ok(_) => {}
            Err(fault) => self.end(&fault),
        }
    }

    pub(super) fn done(&mut self, candidate: u32, outcome: &Outcome) {
        if let Some(instance) = &mut self.instance
            && let Err(fault) = instance.done(candidate, outcome)
        {
            self.end(&fault);
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        if let Some(instance) = &mut self.instance
            && let Err(fault) = instance.tick(now)
        {
            self.end(&fault);
        }
    }

    pub(super) fn period(&self) -> Option<Duration> {
        self.instance.as_ref().and_then(Instance::period)
    }

    fn end(&mut self, fault: &Fault) {
        let Some(instance) = self.instance.take() else { return };
        let (upstream, policy) = (&instance.candidates().upstream, instance.policy());
        tracing::warn!(
            "upstream {upstream}: the shadow {} {} ends in this worker: {fault}",
            policy.name(),
            policy.version()
        );
        self.book.failed(fault);
    }
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadow").field("policy", &self.book.policy).finish_non_exhaustive()
    }
}

fn add(counter: &AtomicU64, number: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_as_often_as_their_share_says() {
        let drawn = |share| {
            let mut lots = Lots::new(share, 7);
            (0..10_000).filter(|_| lots.draw()).count()
        };
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 10_000));
        assert!(drawn(0.05).abs_diff(500) < 80, "{}", drawn(0.05));
    }

    #[test]
    fn imbalance_is_relative_to_weights() {
        let chosen = [("a".into(), 30), ("b".into(), 10)];
        assert_eq!((imbalance(&chosen, &[3, 1]), imbalance(&chosen, &[1, 1])), (1.0, 1.5));
        assert_eq!(imbalance(&[], &[]), 1.0);
    }
}
