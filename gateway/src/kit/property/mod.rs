//! The properties of a good policy, one file each.

mod black_hole;
mod calls;
mod cost;
mod determinism;
mod disruption;
mod extremes;
mod memory;
mod options;
mod recovery;
mod replay;
mod requests;
mod retries;
mod sizes;
mod starvation;
mod state;
mod trial;
mod weights;

use std::time::Instant;

use super::subject::{Stopped, Subject};
use super::{Check, Verdict, Wishes};

/// Something that is true of good policies.
pub(super) struct Property {
    pub(super) name: &'static str,
    /// What a good policy does.
    expected: &'static str,
    examine: fn(&mut Trial<'_>) -> Result<Found, Stopped>,
}

/// What a property works with.
struct Trial<'a> {
    subject: &'a Subject,
    /// What is done, told as it is done.
    tried: String,
}

/// What was found.
enum Found {
    /// As expected; and what it was.
    Expected(String),
    /// Not as expected.
    Otherwise(String),
    /// As expected, but there is something to know.
    Noteworthy(String),
    /// There is nothing to try.
    DoesNotApply(String),
}

/// Who fails this is tried no further.
pub(super) const FIRST: &str = trial::TRIAL.name;

/// All of them. Who fails the first would fail the others for the same reason.
pub(super) const ALL: &[Property] = &[
    trial::TRIAL,
    sizes::SIZES,
    requests::REQUESTS,
    options::OPTIONS,
    extremes::EXTREMES,
    calls::CALLS,
    determinism::DETERMINISM,
    retries::RETRIES,
    weights::WEIGHTS,
    starvation::STARVATION,
    black_hole::BLACK_HOLE,
    recovery::RECOVERY,
    disruption::DISRUPTION,
    state::STATE,
    memory::MEMORY,
    cost::COST,
    replay::REPLAY,
];

impl Property {
    /// Tries a policy for this.
    pub(super) fn examine(&self, subject: &Subject, wishes: &Wishes) -> Check {
        let began = Instant::now();
        let mut trial = Trial { subject, tried: String::new() };
        let (verdict, happened) = match (self.examine)(&mut trial) {
            Ok(Found::Expected(happened)) => (Verdict::Passed, happened),
            Ok(Found::Noteworthy(happened)) => (Verdict::Noted, happened),
            Ok(Found::DoesNotApply(happened)) => (Verdict::Skipped, happened),
            Ok(Found::Otherwise(happened)) => (self.unexpected(wishes), happened),
            // A policy that stops has no excuse.
            Err(Stopped(why)) => (Verdict::Failed, why),
        };
        let Self { name, expected, .. } = *self;
        Check { name, verdict, tried: trial.tried, expected, happened, took: began.elapsed() }
    }

    fn unexpected(&self, wishes: &Wishes) -> Verdict {
        if wishes.accepted.iter().any(|name| name == self.name) { Verdict::Noted } else { Verdict::Failed }
    }
}

impl Trial<'_> {
    fn tries(&mut self, what: impl Into<String>) {
        self.tried = what.into();
    }
}
