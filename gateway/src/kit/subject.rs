//! The policy under test.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fleet::Fleet;
use super::{Wishes, request};
use crate::policy::{Birth, BirthError, Fault, Instance, Picker, Policy, Roster, Rules};
use crate::simulate::Dice;
use crate::upstream::Candidates;

/// When everything begins, on the made-up clock.
pub(super) const BEGIN: u64 = 1_000_000;
/// Most of the time that one run of picks may take: a slow policy is asked less often.
const PATIENCE: Duration = Duration::from_millis(400);
/// Fewest picks of a run, however slow they are.
const FEWEST: u32 = 40;
/// The two sizes at which the pace of a policy is taken.
const SMALL: usize = 10;
const LARGE: usize = 1_000;

/// A policy, the options to try it with, and how fast it is.
pub(super) struct Subject {
    pub(super) policy: Arc<Policy>,
    pub(super) wishes: Wishes,
    /// Duration of a pick among [`SMALL`] and among [`LARGE`] candidates.
    pace: [Duration; 2],
}

/// The policy failed where nothing may fail; the text says how and in which call.
#[derive(Debug)]
pub(super) struct Stopped(pub(super) String);

impl Subject {
    pub(super) fn new(policy: Arc<Policy>, wishes: &Wishes) -> Self {
        let mut subject = Self { policy, wishes: wishes.clone(), pace: [Duration::ZERO; 2] };
        // Who fails here will fail again, in the property that asks for it.
        subject.pace = [SMALL, LARGE].map(|size| subject.pace_among(size).unwrap_or_default());
        subject
    }

    /// Chance for one property.
    pub(super) fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.wishes.seed, purpose)
    }

    /// What an instance over these candidates is born with.
    pub(super) fn birth(&self, candidates: Arc<Candidates>) -> Birth<'_> {
        let Wishes { options, seed, limits, .. } = &self.wishes;
        Birth { options, candidates, seed: *seed, state: None, limits: *limits }
    }

    pub(super) fn born(&self, candidates: Arc<Candidates>) -> Result<Instance, Stopped> {
        let number = candidates.backends.len();
        let born = self.policy.instantiate_at(self.birth(candidates), BEGIN);
        born.map_err(|error| Stopped(format!("{error} (at birth, with {number} candidates)")))
    }

    /// A picker as a worker has it, and the book that it keeps.
    pub(super) fn picker(&self, candidates: Arc<Candidates>) -> Result<(Picker, Arc<Roster>), Stopped> {
        let instance = self.born(Arc::clone(&candidates))?;
        let roster = Arc::new(Roster::new(Arc::clone(&candidates.upstream), Rules::default(), 1));
        roster.serve(Arc::clone(&self.policy), 1);
        let picker = Picker::new(candidates, Some(instance), Arc::clone(&roster), 0, 0, Arc::new(|_| {}));
        Ok((picker, roster))
    }

    /// How many picks among so many candidates are worth the time, at most `wanted`.
    pub(super) fn enough(&self, wanted: u32, candidates: usize) -> u32 {
        let pace = if candidates < LARGE / 2 {
            self.pace[0]
        } else {
            self.pace[1] * (candidates / LARGE).max(1) as u32
        };
        let affordable = PATIENCE.as_nanos() / pace.as_nanos().max(1);
        u32::try_from(affordable).unwrap_or(u32::MAX).clamp(FEWEST, wanted.max(FEWEST))
    }

    fn pace_among(&self, number: usize) -> Result<Duration, Stopped> {
        let mut instance = self.born(Fleet::of(number).candidates())?;
        let mut facts = request::facts(1, &[]);
        let mut picks = Vec::new();
        for visitor in 0..15 {
            let ask = request::ask(visitor, 0, visitor << 40, 1_000_000 + visitor);
            let began = Instant::now();
            instance.pick(&ask, &mut facts)?;
            picks.push(began.elapsed());
        }
        picks.sort_unstable();
        Ok(picks[picks.len() / 2])
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

impl From<BirthError> for Stopped {
    fn from(error: BirthError) -> Self {
        Self(error.to_string())
    }
}
