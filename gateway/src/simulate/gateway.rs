//! The gateways of a simulation: real pickers over real statistics, with a clock that is given.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::arrivals::{Arrival, Source};
use super::dice::Dice;
use super::scenario::Scenario;
use super::world::Contestant;
use crate::policy::{
    Ask, Birth, BirthError, Decision, Ended, Facts, Instance, Limits, Picker, Roster, Rules, Sink, Totals,
    Verdict,
};
use crate::stats::{BackendStats, Outcome, UpstreamStats};
use crate::upstream::{Backend, Candidates};

/// One gateway: what it knows of the backends, and who picks in each of its workers.
pub(super) struct Gateway {
    pub(super) backends: Vec<Arc<Backend>>,
    pub(super) stats: Arc<UpstreamStats>,
    candidates: Arc<Candidates>,
    pickers: Vec<Picker>,
    roster: Arc<Roster>,
    options: Arc<str>,
    ended: Arc<Mutex<Vec<Ended>>>,
    ages: u64,
    seeds: Dice,
    random: Dice,
    facts: Facts,
    wants_facts: bool,
}

/// Whom a request goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// The backend, by its place in the scenario.
    pub(super) server: usize,
    pub(super) candidate: u32,
    /// The picker's mark.
    pub(super) mark: u64,
}

/// A picker that was made and wants ticks.
pub(super) struct Timed {
    pub(super) worker: usize,
    pub(super) age: u64,
    pub(super) period: Duration,
}

impl Gateway {
    /// The gateway of this number, at time `now`, microseconds.
    ///
    /// # Errors
    /// The policy refuses its options, or fails at birth.
    pub(super) fn new(
        number: usize,
        scenario: &Scenario,
        contestant: &Contestant,
        seed: u64,
        now: u64,
    ) -> Result<(Self, Vec<Timed>), BirthError> {
        let backends = backends(scenario, now);
        let (upstream, stats) = (Arc::from("simulated"), Arc::new(UpstreamStats::default()));
        let roster = Arc::new(Roster::new(Arc::clone(&upstream), Rules::default(), scenario.workers));
        roster.serve(Arc::clone(&contestant.policy), now);
        let candidates = Arc::new(Candidates::of(upstream, Arc::clone(&stats), &backends));
        let mut gateway = Self {
            backends,
            stats,
            candidates,
            pickers: Vec::new(),
            roster,
            options: Arc::clone(&contestant.options),
            ended: Arc::default(),
            ages: 0,
            seeds: Dice::new(seed, &format!("seeds of {number}")),
            random: Dice::new(seed, &format!("picks of {number}")),
            facts: Facts::default(),
            wants_facts: contestant.policy.wants_request_info(),
        };
        for worker in 0..scenario.workers {
            let instance = gateway.born(None, now)?;
            let picker = gateway.picker(worker, Some(instance));
            gateway.pickers.push(picker);
        }
        let timed = (0..scenario.workers).filter_map(|worker| gateway.timed(worker)).collect();
        Ok((gateway, timed))
    }

    fn born(&mut self, state: Option<&[u8]>, now: u64) -> Result<Instance, BirthError> {
        let gone = BirthError::Refused("it is in quarantine".into());
        let policy = self.roster.serving().ok_or(gone)?;
        let limits =
            Limits { pick: Duration::from_secs(1), init: Duration::from_secs(30), ..Limits::default() };
        let (candidates, seed) = (Arc::clone(&self.candidates), self.seeds.bits() & ((1 << 53) - 1));
        policy.instantiate_at(Birth { options: &self.options, candidates, seed, state, limits }, now)
    }

    fn picker(&mut self, worker: usize, instance: Option<Instance>) -> Picker {
        self.ages += 1;
        let ended = Arc::clone(&self.ended);
        let sink: Sink = Arc::new(move |one| ended.lock().unwrap_or_else(PoisonError::into_inner).push(one));
        Picker::new(Arc::clone(&self.candidates), instance, Arc::clone(&self.roster), worker, self.ages, sink)
    }

    fn timed(&self, worker: usize) -> Option<Timed> {
        let picker = &self.pickers[worker];
        picker.period().map(|period| Timed { worker, age: picker.age(), period })
    }

    /// Lets a worker's policy choose a backend for an attempt.
    pub(super) fn choose(
        &mut self,
        worker: usize,
        arrival: &Arrival,
        tried: &[u32],
        source: &Source,
        now: u64,
    ) -> Result<Chosen, Decision> {
        let places = &self.candidates.places;
        self.facts.tried.clear();
        if !tried.is_empty() {
            let known = places.iter().zip(0..).filter(|(place, _)| tried.contains(place));
            self.facts.tried.extend(known.map(|(_, index)| index));
        }
        if self.wants_facts {
            source.describe(arrival.subject, &mut self.facts);
        }
        let random = (self.random.bits() >> 33) as u32;
        let attempt = tried.len() as u32;
        let ask = Ask { key: arrival.key, attempt, random, now, body_length: self.facts.body_length };
        let picker = &mut self.pickers[worker];
        match picker.pick(ask, &mut self.facts) {
            Decision::Candidate(candidate) => {
                let server = self.candidates.places[candidate as usize] as usize;
                Ok(Chosen { server, candidate, mark: picker.mark() })
            }
            other => Err(other),
        }
    }

    /// Learns how an attempt ended.
    pub(super) fn done(&mut self, worker: usize, chosen: Chosen, outcome: &Outcome) {
        self.backends[chosen.server].stats.record(outcome, &self.stats);
        self.pickers[worker].done(chosen.candidate, chosen.mark, outcome);
    }

    /// Gives a policy its tick; none when its picker has been replaced meanwhile.
    pub(super) fn tick(&mut self, worker: usize, age: u64, now: u64) -> Option<Timed> {
        let picker = self.pickers.get_mut(worker).filter(|picker| picker.age() == age)?;
        picker.tick(now);
        self.timed(worker)
    }

    /// Takes a backend out of the configuration, or puts it back: new candidates, new instances
    /// that take over what the old ones saved.
    pub(super) fn configure(&mut self, server: usize, down: bool, now: u64) -> Vec<Timed> {
        let changed = Backend { down, ..(*self.backends[server]).clone() };
        self.backends[server] = Arc::new(changed);
        let (upstream, stats) = (Arc::clone(&self.candidates.upstream), Arc::clone(&self.stats));
        self.candidates = Arc::new(Candidates::of(upstream, stats, &self.backends));
        (0..self.pickers.len()).filter_map(|worker| self.replace(worker, now)).collect()
    }

    /// Prepares other instances for those that failed, as the gateway's `mend` thread does.
    pub(super) fn mend(&mut self, now: u64) -> Vec<Timed> {
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        let all = ended.iter().any(|ended| ended.verdict == Verdict::Quarantine);
        let failed = |worker| all || ended.iter().any(|ended| ended.worker == worker);
        (0..self.pickers.len())
            .filter(|worker| failed(*worker))
            .filter_map(|w| self.replace(w, now))
            .collect()
    }

    fn replace(&mut self, worker: usize, now: u64) -> Option<Timed> {
        let state = self.pickers[worker].save();
        let born =
            if self.candidates.backends.is_empty() { None } else { self.born(state.as_deref(), now).ok() };
        self.pickers[worker] = self.picker(worker, born);
        self.timed(worker)
    }

    /// Has an instance failed?
    pub(super) fn is_broken(&self) -> bool {
        !self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Picks and what came of them, and faults.
    pub(super) fn totals(&self) -> (Totals, u64, Option<String>) {
        let book = self.roster.snapshot();
        (book.totals, book.faults.iter().sum(), book.last_fault)
    }
}

/// All backends of a scenario, as one gateway sees them.
fn backends(scenario: &Scenario, now: u64) -> Vec<Arc<Backend>> {
    let groups = scenario.groups.iter().flat_map(|group| std::iter::repeat_n(group, group.number));
    let backend = |(number, group): (usize, &super::group::Group)| {
        let name = format!("10.{}.{}.{}:80", number >> 16 & 255, number >> 8 & 255, number & 255);
        // The text above is an address whatever the number.
        let address = name.parse().ok()?;
        let labels = group.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
        Some(Arc::new(Backend {
            weight: group.weight,
            zone: group.zone.as_deref().map(Into::into),
            labels: labels.collect(),
            stats: Arc::new(BackendStats::known_from(now)),
            ..Backend::new(&name, address, number)
        }))
    };
    groups.enumerate().filter_map(backend).collect()
}
