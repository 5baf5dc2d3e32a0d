//! Made-up traffic: requests arrive, attempts end, failed ones are tried elsewhere. Picker,
//! statistics and feedback are the gateway's; only the clock is made up.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::fleet::Fleet;
use super::request;
use super::subject::{BEGIN, Stopped, Subject};
use crate::policy::{Decision, Picker, Roster};
use crate::simulate::Dice;
use crate::stats::{BackendStats, InFlight, Outcome, Verdict};

/// Mean time that an attempt takes at a healthy backend, microseconds.
pub(super) const SERVICE: u32 = 20_000;

/// How long an attempt at a backend takes, microseconds, and how it ends.
pub(super) type Behaviour<'a> = &'a dyn Fn(u32, &mut Dice) -> (u32, Verdict);

/// A healthy backend: [`SERVICE`], a quarter more or less.
pub(super) fn healthy(_backend: u32, dice: &mut Dice) -> (u32, Verdict) {
    ((f64::from(SERVICE) * (0.75 + 0.5 * dice.unit())) as u32, Verdict::Success)
}

/// Traffic over one fleet.
pub(super) struct World {
    picker: Picker,
    roster: Arc<Roster>,
    fleet: Fleet,
    dice: Dice,
    now: u64,
    next_tick: u64,
    running: BinaryHeap<Reverse<Attempt>>,
    numbers: u64,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Attempts, by candidate.
    pub(super) attempts: Vec<u64>,
    /// Requests that the policy refused.
    pub(super) rejected: u64,
}

struct Attempt {
    ends: u64,
    number: u64,
    visitor: u64,
    candidate: u32,
    verdict: Verdict,
    tried: Vec<u32>,
    guard: InFlight<Arc<BackendStats>>,
}

impl World {
    pub(super) fn new(subject: &Subject, fleet: Fleet, purpose: &str) -> Result<Self, Stopped> {
        let (picker, roster) = subject.picker(fleet.candidates())?;
        let now = BEGIN;
        let (dice, running) = (subject.dice(purpose), BinaryHeap::new());
        Ok(Self { picker, roster, fleet, dice, now, next_tick: now, running, numbers: 0 })
    }

    /// Lets so many requests arrive, independently of each other, of visitors who are all
    /// different. `in_flight` is how many attempts run on average as long as all backends are
    /// healthy. Attempts that run at the end go on in the next run.
    pub(super) fn run(
        &mut self,
        requests: u32,
        in_flight: f64,
        behave: Behaviour<'_>,
    ) -> Result<Tally, Stopped> {
        let mut tally = Tally { attempts: vec![0; self.picker.candidates().backends.len()], rejected: 0 };
        let between = f64::from(SERVICE) / in_flight;
        for _ in 0..requests {
            let arrives = self.now + (self.dice.exponential() * between) as u64;
            self.let_end(arrives, behave, &mut tally);
            self.now = arrives;
            self.tick();
            let visitor = self.dice.bits() >> 16;
            self.attempt(visitor, Vec::new(), behave, &mut tally);
        }
        let snapshot = self.roster.snapshot();
        match snapshot.last_fault {
            Some(fault) => {
                Err(Stopped(format!("{fault} (under made-up traffic, {} picks)", snapshot.totals.picks)))
            }
            None => Ok(tally),
        }
    }

    fn let_end(&mut self, until: u64, behave: Behaviour<'_>, tally: &mut Tally) {
        while self.running.peek().is_some_and(|Reverse(attempt)| attempt.ends <= until) {
            let Some(Reverse(attempt)) = self.running.pop() else { return };
            self.now = attempt.ends;
            let Attempt { visitor, candidate, verdict, tried, guard, .. } = attempt;
            let total = (self.now - guard.began()) as u32;
            drop(guard);
            let outcome = outcome(verdict, total, self.now);
            self.fleet.stats(candidate as usize).record(&outcome, self.fleet.upstream());
            self.picker.done(candidate, self.picker.age(), &outcome);
            if verdict.is_failure() {
                self.attempt(visitor, tried, behave, tally);
            }
        }
    }

    fn attempt(&mut self, visitor: u64, mut tried: Vec<u32>, behave: Behaviour<'_>, tally: &mut Tally) {
        let ask = request::ask(visitor, tried.len(), self.dice.bits(), self.now);
        let mut facts = request::facts(visitor, &tried);
        let candidate = match self.picker.pick(ask, &mut facts) {
            Decision::Candidate(candidate) => candidate,
            Decision::Reject(_) => return tally.rejected += 1,
            Decision::Exhausted => return,
        };
        tally.attempts[candidate as usize] += 1;
        tried.push(candidate);
        let (takes, verdict) = behave(candidate, &mut self.dice);
        self.numbers += 1;
        self.running.push(Reverse(Attempt {
            ends: self.now + u64::from(takes.max(1)),
            number: self.numbers,
            visitor,
            candidate,
            verdict,
            tried,
            guard: InFlight::begin(self.fleet.stats(candidate as usize), self.now),
        }));
    }

    fn tick(&mut self) {
        let Some(period) = self.picker.period() else { return };
        if self.now >= self.next_tick {
            self.picker.tick(self.now);
            self.next_tick = self.now + period.as_micros() as u64;
        }
    }
}

/// The end of a made-up attempt.
pub(super) fn outcome(verdict: Verdict, total: u32, now: u64) -> Outcome {
    let status = match verdict {
        Verdict::Success => 200,
        Verdict::ServerError => 503,
        _ => 0,
    };
    Outcome { verdict, status, connect: 0, first_byte: total / 2, total, now }
}

impl Tally {
    pub(super) fn total(&self) -> u64 {
        self.attempts.iter().sum()
    }

    /// The share of one candidate, in per cent of all attempts.
    pub(super) fn per_cent(&self, candidate: usize) -> f64 {
        100.0 * self.attempts[candidate] as f64 / self.total().max(1) as f64
    }
}

impl Ord for Attempt {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.ends, self.number).cmp(&(other.ends, other.number))
    }
}

impl PartialOrd for Attempt {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Attempt {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Attempt {}
