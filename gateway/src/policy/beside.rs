//! Who stands beside the policy of a picker. Nearly always nobody does.

use std::time::Duration;

use super::recording::Recorder;
use super::{Ask, Canary, Decision, Facts, Shadow};
use crate::stats::Outcome;

/// What a mark says beside the picker's age: the canary chose.
const BY_CANARY: u64 = 1 << 63;

/// A recorder, a canary and shadows.
#[derive(Debug, Default)]
pub struct Beside {
    pub(super) recorder: Option<Recorder>,
    canary: Option<Canary>,
    shadows: Vec<Shadow>,
    chosen_by_canary: bool,
    /// When who has a period is due, in the order of [`Beside::periods`].
    due: Vec<u64>,
}

impl Beside {
    /// A recorder, which writes down what the policy is asked; a canary, which decides for a share
    /// of the requests; shadows, which are asked and not obeyed.
    #[must_use]
    pub fn new(recorder: Option<Recorder>, canary: Option<Canary>, shadows: Vec<Shadow>) -> Self {
        Self { recorder, canary, shadows, ..Self::default() }
    }

    /// Nobody?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recorder.is_none() && self.canary.is_none() && self.shadows.is_empty()
    }

    /// The canary's decision, if this request is its to decide.
    pub(super) fn canary_decides(&mut self, ask: &Ask, facts: &mut Facts) -> Option<Decision> {
        let decision = self.canary.as_mut().and_then(|canary| canary.pick(ask, facts));
        self.chosen_by_canary = decision.is_some();
        decision
    }

    /// Asks the shadows what they would have chosen.
    pub(super) fn ask_shadows(&mut self, ask: &Ask, facts: &mut Facts, decision: Decision) {
        self.shadows.iter_mut().for_each(|shadow| shadow.pick(ask, facts, decision));
    }

    /// Marks the choice that was made last: the age of the picker, and who chose.
    pub(super) fn mark(&self, age: u64) -> u64 {
        if self.chosen_by_canary { age | BY_CANARY } else { age }
    }

    /// Tells all but the policy itself how an attempt ended.
    pub(super) fn done(&mut self, candidate: u32, mark: u64, outcome: &Outcome) {
        if let Some(recorder) = &mut self.recorder {
            let stats = recorder.look();
            recorder.done(candidate, outcome, stats);
        }
        if let Some(canary) = &mut self.canary {
            canary.done(candidate, mark & BY_CANARY != 0, outcome);
        }
        self.shadows.iter_mut().for_each(|shadow| shadow.done(candidate, outcome));
    }

    /// The periods of the policy itself, of the canary and of the shadows.
    fn periods(&self, own: Option<Duration>) -> impl Iterator<Item = Option<Duration>> {
        let canary = self.canary.as_ref().and_then(Canary::period);
        [own, canary].into_iter().chain(self.shadows.iter().map(Shadow::period))
    }

    /// How often somebody wants to tick, if the policy itself wants to every `own`.
    pub(super) fn period(&self, own: Option<Duration>) -> Option<Duration> {
        self.periods(own).flatten().min()
    }

    /// Gives their ticks to those who are due; true if the policy itself is.
    pub(super) fn tick(&mut self, own: Option<Duration>, now: u64) -> bool {
        let micros = |period: Duration| u64::try_from(period.as_micros()).unwrap_or(u64::MAX / 2);
        // Ticks come a little early or late: who is due before the next one gets this one.
        let slack = self.period(own).map_or(0, |shortest| micros(shortest) / 2);
        let periods: Vec<_> = self.periods(own).collect();
        self.due.resize(periods.len(), 0);
        let mut own_is_due = false;
        for (place, period) in periods.into_iter().enumerate() {
            let Some(period) = period else { continue };
            if self.due[place] > now + slack {
                continue;
            }
            self.due[place] = now + micros(period);
            match place {
                0 => own_is_due = true,
                1 => self.canary.iter_mut().for_each(|canary| canary.tick(now)),
                _ => self.shadows[place - 2].tick(now),
            }
        }
        if let Some(recorder) = self.recorder.as_mut().filter(|_| own_is_due) {
            let stats = recorder.look();
            recorder.ticked(now, stats);
        }
        own_is_due
    }

    /// The age of the picker that a mark was made by.
    pub(super) fn age_of(mark: u64) -> u64 {
        mark & !BY_CANARY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::guests;
    use crate::policy::{Shadow, ShadowBook};
    use std::sync::Arc;

    #[test]
    fn each_ticks_at_its_own_pace() {
        let policy = guests::load("timer");
        let candidates = guests::candidates(2);
        let names = candidates.backends.iter().map(|backend| Arc::clone(&backend.name)).collect();
        let book = Arc::new(ShadowBook::new(Arc::clone(&policy), "{}", names, 1));
        let instance = policy.instantiate(guests::birth_of(candidates)).unwrap();
        let shadow = Shadow::new(instance, book, 0, 1.0, 1);
        let mut beside = Beside::new(None, None, vec![shadow]);
        let own = Some(Duration::from_secs(1));
        assert_eq!(beside.period(own), Some(Duration::from_millis(250)), "that of the shadow");
        let ticked = (1..=16).filter(|tick| beside.tick(own, tick * 250_000)).count();
        assert_eq!(ticked, 4);
        assert_eq!(beside.period(None), Some(Duration::from_millis(250)));
    }
}
