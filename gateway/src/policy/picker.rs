//! Who picks for one upstream in one worker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::recording::Recorder;
use super::{Ask, Beside, Choice, Count, Facts, Fallback, Fault, Instance, Roster, Tally, Verdict};
use crate::stats::Outcome;
use crate::upstream::Candidates;

/// How often a policy is asked again when it chose what this request has tried already.
const MOST_REPICKS: u32 = 3;

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This candidate, by index.
    Candidate(u32),
    /// The policy refuses the request with this status.
    Reject(u16),
    /// Every candidate has been tried.
    Exhausted,
}

/// A fault that ended an instance, for whoever prepares the next one.
#[derive(Debug)]
pub struct Ended {
    /// The worker, by its number from 0.
    pub worker: usize,
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// What the roster makes of it.
    pub verdict: Verdict,
}

/// Told of ended instances. Called from workers: it must not block.
pub type Sink = Arc<dyn Fn(Ended) + Send + Sync>;

/// An instance of the policy with the fallback beside it. Whatever the policy does, asking a
/// picker gives a decision: a fault ends the instance, never the request.
pub struct Picker {
    candidates: Arc<Candidates>,
    instance: Option<Instance>,
    fallback: Fallback,
    roster: Arc<Roster>,
    worker: usize,
    age: u64,
    sink: Sink,
    wants_reports: bool,
    /// Who looks on; nearly always nobody.
    beside: Option<Box<Beside>>,
}

impl Picker {
    /// For one worker. Without an instance the fallback picks. `age` tells pickers of the same
    /// upstream and worker apart.
    #[must_use]
    pub fn new(
        candidates: Arc<Candidates>,
        instance: Option<Instance>,
        roster: Arc<Roster>,
        worker: usize,
        age: u64,
        sink: Sink,
    ) -> Self {
        let fallback = Fallback::new(&candidates, (age as u32).wrapping_mul(31).wrapping_add(worker as u32));
        let wants_reports = instance.as_ref().is_some_and(|instance| instance.policy().wants_reports());
        Self { candidates, instance, fallback, roster, worker, age, sink, wants_reports, beside: None }
    }

    /// Lets others stand beside the policy. A recorder must be that of the picker's instance.
    #[must_use]
    pub fn with(mut self, beside: Beside) -> Self {
        self.beside = (!beside.is_empty()).then(|| Box::new(beside));
        self
    }

    /// Whom it chooses from.
    #[must_use]
    pub fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// Does its policy ask what backends report of themselves?
    #[must_use]
    pub fn wants_reports(&self) -> bool {
        self.wants_reports
    }

    /// Tells it apart from the pickers before and after it.
    #[must_use]
    pub fn age(&self) -> u64 {
        self.age
    }

    /// What [`Picker::done`] is to be told with the choice that was made last: the picker's age, and
    /// who chose.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.beside.as_ref().map_or(self.age, |beside| beside.mark(self.age))
    }

    /// Chooses a candidate that is not among `facts.tried`.
    pub fn pick(&mut self, ask: Ask, facts: &mut Facts) -> Decision {
        match self.beside.take() {
            None => self.choose(ask, facts, None),
            Some(mut beside) => {
                let decision = beside.canary_decides(&ask, facts);
                let decision = decision.unwrap_or_else(|| self.choose(ask, facts, beside.recorder.as_mut()));
                beside.ask_shadows(&ask, facts, decision);
                self.beside = Some(beside);
                decision
            }
        }
    }

    #[inline]
    fn choose(&mut self, mut ask: Ask, facts: &mut Facts, mut recorder: Option<&mut Recorder>) -> Decision {
        if facts.tried.len() >= self.candidates.backends.len() {
            return Decision::Exhausted;
        }
        for _ in 0..=MOST_REPICKS {
            match self.ask(&ask, facts, recorder.as_deref_mut()) {
                Some(Choice::Backend(index)) if facts.tried.contains(&index) => {
                    self.tally().count(Count::Repicks);
                    ask.attempt += 1;
                }
                Some(Choice::Backend(index)) => return Decision::Candidate(index),
                Some(Choice::Reject(status)) => {
                    self.tally().count(Count::Rejected);
                    return Decision::Reject(status);
                }
                Some(Choice::Abstain) => {
                    self.tally().count(Count::Abstained);
                    return self.fall_back(facts);
                }
                None => break,
            }
        }
        self.tally().count(Count::Fallbacks);
        self.fall_back(facts)
    }

    /// The policy's answer; none when there is no instance or it failed.
    #[inline]
    fn ask(&mut self, ask: &Ask, facts: &mut Facts, recorder: Option<&mut Recorder>) -> Option<Choice> {
        let instance = self.instance.as_mut()?;
        let recorder = recorder.map(|recorder| (recorder.look(), recorder));
        let tally = self.roster.tally(self.worker);
        let began = tally.begin_pick();
        let choice = instance.pick(ask, facts);
        tally.picked(began);
        if let Some((stats, recorder)) = recorder {
            recorder.picked(ask, facts, stats, &choice);
        }
        choice.map_err(|fault| self.end(&fault, ask.now)).ok()
    }

    fn fall_back(&mut self, facts: &Facts) -> Decision {
        self.fallback.pick(&facts.tried).map_or(Decision::Exhausted, Decision::Candidate)
    }

    fn tally(&self) -> &Tally {
        self.roster.tally(self.worker)
    }

    /// Tells the policy how an attempt ended, if it wants to know and chose from the candidates
    /// that it has now. `mark` is what [`Picker::mark`] said after the choice.
    pub fn done(&mut self, candidate: u32, mark: u64, outcome: &Outcome) {
        if Beside::age_of(mark) != self.age {
            return;
        }
        if let Some(beside) = &mut self.beside {
            beside.done(candidate, mark, outcome);
        }
        if let Some(instance) = self.instance.as_mut()
            && instance.wants_feedback()
            && let Err(fault) = instance.done(candidate, outcome)
        {
            self.end(&fault, outcome.now);
        }
    }

    /// Time between ticks, if the policy wants any.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        let own = self.instance.as_ref().and_then(Instance::period);
        self.beside.as_ref().map_or(own, |beside| beside.period(own))
    }

    /// Gives the policy its tick.
    pub fn tick(&mut self, now: u64) {
        let own = self.instance.as_ref().and_then(Instance::period);
        if self.beside.as_mut().is_some_and(|beside| !beside.tick(own, now)) {
            return;
        }
        if let Some(instance) = self.instance.as_mut()
            && let Err(fault) = instance.tick(now)
        {
            self.end(&fault, now);
        }
    }

    /// What the policy wants to hand over to its successor, if anything.
    pub fn save(&mut self) -> Option<Vec<u8>> {
        let instance = self.instance.as_mut()?;
        let (now, saved) = (instance.now(), instance.save());
        saved.map_err(|fault| self.end(&fault, now)).ok().flatten()
    }

    /// Why the policy picks as it does for this request, if it can say.
    pub fn explain(&mut self, ask: Ask, facts: &mut Facts) -> Option<String> {
        if let Some(recorder) = self.recorder() {
            let stats = recorder.look();
            recorder.explained(&ask, facts, stats);
        }
        let explained = self.instance.as_mut()?.explain(&ask, facts);
        explained.map_err(|fault| self.end(&fault, ask.now)).ok().flatten()
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        self.beside.as_mut()?.recorder.as_mut()
    }

    /// Throws the instance away, which failed in a call at time `now`; it is never called again.
    fn end(&mut self, fault: &Fault, now: u64) {
        let Some(instance) = self.instance.take() else { return };
        let policy = instance.policy();
        let why = fault.to_string();
        tracing::error!(
            "upstream {}: policy {} {}: {why}",
            self.candidates.upstream,
            policy.name(),
            policy.version()
        );
        let verdict = self.roster.fault(policy, fault.kind(), &why, now);
        (self.sink)(Ended { worker: self.worker, upstream: Arc::clone(&self.candidates.upstream), verdict });
    }
}

impl fmt::Debug for Picker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.instance.as_ref().map(|instance| instance.policy().name());
        f.debug_struct("Picker")
            .field("upstream", &self.candidates.upstream)
            .field("policy", &policy)
            .field("age", &self.age)
            .finish()
    }
}
