//! A policy that decides for a share of the requests, and goes back when it does worse.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::shadow::Lots;
use super::{Ask, Choice, Decision, Facts, Fault, Instance, Policy};
use crate::stats::Outcome;
use crate::stats::clock;

/// The two are compared at most this often, microseconds.
const BETWEEN_LOOKS: u64 = 500_000;

/// What a canary may do, and how much worse it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanaryRules {
    /// Share of the requests that it decides for, 0 to 1.
    pub share: f64,
    /// How much larger its share of failed attempts may be than that of the policy it is compared
    /// with, 0 to 1.
    pub max_failures: f64,
    /// How much longer its mean response time may be, relative to the other's.
    pub max_latency: f64,
    /// Time over which the two are compared: the last one to two windows.
    pub window: Duration,
    /// Attempts that both must have had within that time.
    pub least_requests: u64,
    /// After so long without being worse it decides for all requests; none: never by itself.
    pub promote_after: Option<Duration>,
}

/// Where a canary stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CanaryState {
    /// It decides for its share.
    #[default]
    Trying,
    /// It decides for all requests.
    Promoted,
    /// It decides for none.
    Returned,
}

impl CanaryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Trying, Self::Promoted, Self::Returned];

    /// Its name in metrics and on the state page.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Promoted => "promoted",
            Self::Returned => "returned",
        }
    }

    fn from_number(number: u64) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or_default()
    }
}

/// The book on one canary: shared by all workers, kept over reloads while nothing about it changes.
#[derive(Debug)]
pub struct CanaryBook {
    upstream: Arc<str>,
    policy: Arc<Policy>,
    options: Box<str>,
    rules: CanaryRules,
    /// A [`CanaryState`]; what workers read.
    state: AtomicU64,
    next_look: AtomicU64,
    /// Attempts of the policy in force, and of the canary.
    arms: [Arm; 2],
    standing: Mutex<Standing>,
}

/// Attempts that one of the two chose the backends for.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Arm {
    attempts: AtomicU64,
    failures: AtomicU64,
    /// Sum of the response times of those that did not fail, microseconds.
    micros: AtomicU64,
}

/// What an arm has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmTotals {
    /// Attempts ended, but for those that clients broke off.
    pub attempts: u64,
    /// Those that failed, and requests that the policy refused.
    pub failures: u64,
    /// Sum of the response times of the others, microseconds.
    pub micros: u64,
}

#[derive(Debug, Default)]
struct Standing {
    since: u64,
    why: Option<String>,
    /// What the arms had counted one to two windows ago, and at most one ago.
    before: [ArmTotals; 2],
    lately: [ArmTotals; 2],
    turned: u64,
}

/// Everything about a canary at one moment.
#[derive(Clone, Debug)]
pub struct CanarySnapshot {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Where it stands.
    pub state: CanaryState,
    /// Since when, on the gateway's clock.
    pub since: u64,
    /// Why it stands there, if it is not by configuration.
    pub why: Option<String>,
    /// Its rules.
    pub rules: CanaryRules,
    /// What the policy in force has counted beside it.
    pub main: ArmTotals,
    /// What it has counted.
    pub canary: ArmTotals,
}

impl ArmTotals {
    fn since(self, before: Self) -> Self {
        Self {
            attempts: self.attempts.saturating_sub(before.attempts),
            failures: self.failures.saturating_sub(before.failures),
            micros: self.micros.saturating_sub(before.micros),
        }
    }

    /// Share of attempts that failed, 0 to 1.
    #[must_use]
    pub fn failed(&self) -> f64 {
        if self.attempts == 0 { 0.0 } else { self.failures as f64 / self.attempts as f64 }
    }

    /// Mean response time of those that did not fail, microseconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let answered = self.attempts.saturating_sub(self.failures);
        if answered == 0 { 0.0 } else { self.micros as f64 / answered as f64 }
    }
}

impl CanaryBook {
    /// A book for a policy that was tried and begins now.
    #[must_use]
    pub fn new(upstream: Arc<str>, policy: Arc<Policy>, options: &str, rules: CanaryRules, now: u64) -> Self {
        let standing = Mutex::new(Standing { since: now, turned: now, ..Standing::default() });
        let (state, next_look) = (AtomicU64::new(0), AtomicU64::new(now));
        Self {
            upstream,
            policy,
            options: options.into(),
            rules,
            state,
            next_look,
            arms: Default::default(),
            standing,
        }
    }

    /// Is it about this version with these options and rules? Then it goes on.
    #[must_use]
    pub fn fits(&self, policy: &Policy, options: &str, rules: &CanaryRules) -> bool {
        let same = self.policy.name() == policy.name() && self.policy.version() == policy.version();
        same && &*self.options == options && self.rules == *rules
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> CanaryState {
        CanaryState::from_number(self.state.load(Relaxed))
    }

    /// Everything about it.
    #[must_use]
    pub fn snapshot(&self) -> CanarySnapshot {
        let standing = self.standing();
        let [main, canary] = self.totals();
        CanarySnapshot {
            policy: Arc::clone(&self.policy),
            state: self.state(),
            since: standing.since,
            why: standing.why.clone(),
            rules: self.rules,
            main,
            canary,
        }
    }

    /// Lets it decide for all requests.
    pub fn promote(&self, why: &str, now: u64) {
        self.move_to(CanaryState::Promoted, why, now);
    }

    /// Lets it decide for none.
    pub fn go_back(&self, why: &str, now: u64) {
        self.move_to(CanaryState::Returned, why, now);
    }

    /// Lets it try again, if it had to go back.
    pub fn pardon(&self, now: u64) {
        if self.state() == CanaryState::Returned {
            self.move_to(CanaryState::Trying, "a reload", now);
        }
    }

    fn move_to(&self, state: CanaryState, why: &str, now: u64) {
        let mut standing = self.standing();
        if self.state() == state {
            return;
        }
        self.state.store(state as u64, Relaxed);
        let totals = self.totals();
        *standing =
            Standing { since: now, why: Some(why.to_owned()), before: totals, lately: totals, turned: now };
        let (upstream, name, version) = (&self.upstream, self.policy.name(), self.policy.version());
        match state {
            CanaryState::Returned => {
                tracing::error!(
                    "upstream {upstream}: the canary {name} {version} goes back and decides no more: {why}"
                );
            }
            CanaryState::Promoted => tracing::info!(
                "upstream {upstream}: the canary {name} {version} is promoted and decides for all requests: {why}; \
                 to keep it, make it the policy of the upstream and reload"
            ),
            CanaryState::Trying => {
                tracing::info!("upstream {upstream}: the canary {name} {version} tries again: {why}");
            }
        }
    }

    /// Learns how an attempt ended that the canary, or the policy in force, chose the backend for.
    fn learn(&self, by_canary: bool, failed: bool, micros: u32, now: u64) {
        let arm = &self.arms[usize::from(by_canary)];
        arm.attempts.fetch_add(1, Relaxed);
        if failed {
            arm.failures.fetch_add(1, Relaxed);
        } else {
            arm.micros.fetch_add(micros.into(), Relaxed);
        }
        let due = self.next_look.load(Relaxed);
        let next = now + BETWEEN_LOOKS;
        if now >= due && self.next_look.compare_exchange(due, next, Relaxed, Relaxed).is_ok() {
            self.look(now);
        }
    }

    /// Compares the two.
    fn look(&self, now: u64) {
        if self.state() != CanaryState::Trying {
            return;
        }
        let (totals, since) = (self.totals(), self.standing().since);
        let [main, canary] = {
            let mut standing = self.standing();
            let lately = [0, 1].map(|arm: usize| totals[arm].since(standing.before[arm]));
            if now.saturating_sub(standing.turned) >= clock::micros(self.rules.window) {
                (standing.before, standing.lately, standing.turned) = (standing.lately, totals, now);
            }
            lately
        };
        if let Some(why) = self.worse(&main, &canary) {
            return self.go_back(&why, now);
        }
        if let Some(after) = self.rules.promote_after
            && now.saturating_sub(since) >= clock::micros(after)
            && canary.attempts >= self.rules.least_requests
        {
            self.promote(&format!("it was not worse for {after:?}"), now);
        }
    }

    /// What the canary does worse, by more than the rules allow.
    fn worse(&self, main: &ArmTotals, canary: &ArmTotals) -> Option<String> {
        let CanaryRules { max_failures, max_latency, least_requests, .. } = self.rules;
        if main.attempts.min(canary.attempts) < least_requests {
            return None;
        }
        if canary.failed() > main.failed() + max_failures {
            let (ours, theirs) = (canary.failed() * 100.0, main.failed() * 100.0);
            return Some(format!("{ours:.2} % of its attempts failed, against {theirs:.2} %"));
        }
        let slower = main.mean() > 0.0 && canary.mean() > main.mean() * (1.0 + max_latency);
        slower.then(|| {
            let (ours, theirs) = (canary.mean() / 1e3, main.mean() / 1e3);
            format!("its attempts took {ours:.3} ms on average, against {theirs:.3} ms")
        })
    }

    fn totals(&self) -> [ArmTotals; 2] {
        let read = |arm: &Arm| ArmTotals {
            // Attempts last: the others never exceed it.
            failures: arm.failures.load(Relaxed),
            micros: arm.micros.load(Relaxed),
            attempts: arm.attempts.load(Relaxed),
        };
        [read(&self.arms[0]), read(&self.arms[1])]
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Every change leaves it consistent, so a panic elsewhere has not spoiled it.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A canary in one worker.
pub struct Canary {
    instance: Option<Instance>,
    book: Arc<CanaryBook>,
    lots: Lots,
}

impl Canary {
    /// Decides as the book says.
    #[must_use]
    pub fn new(instance: Instance, book: Arc<CanaryBook>, seed: u64) -> Self {
        let lots = Lots::new(book.rules.share, seed);
        Self { instance: Some(instance), book, lots }
    }

    /// Its decision, if this request is its to decide. Only first attempts are: what its choice
    /// did not serve, the policy in force mends. So it does for a fault.
    pub(super) fn pick(&mut self, ask: &Ask, facts: &mut Facts) -> Option<Decision> {
        let mine = match self.book.state() {
            CanaryState::Trying => self.lots.draw(),
            CanaryState::Promoted => true,
            CanaryState::Returned => false,
        };
        if !mine || ask.attempt > 0 {
            return None;
        }
        match self.instance.as_mut()?.pick(ask, facts) {
            Ok(Choice::Backend(index)) => Some(Decision::Candidate(index)),
            Ok(Choice::Reject(status)) => {
                self.book.learn(true, true, 0, ask.now);
                Some(Decision::Reject(status))
            }
            Ok(Choice::Abstain) => None,
            Err(fault) => {
                self.end(&fault, ask.now);
                None
            }
        }
    }

    /// Learns how an attempt ended, whoever chose the backend.
    pub(super) fn done(&mut self, candidate: u32, by_canary: bool, outcome: &Outcome) {
        if outcome.verdict != crate::stats::Verdict::Cancelled {
            self.book.learn(by_canary, outcome.verdict.is_failure(), outcome.total, outcome.now);
        }
        if let Some(instance) = &mut self.instance
            && let Err(fault) = instance.done(candidate, outcome)
        {
            self.end(&fault, outcome.now);
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        if let Some(instance) = &mut self.instance
            && let Err(fault) = instance.tick(now)
        {
            self.end(&fault, now);
        }
    }

    pub(super) fn period(&self) -> Option<Duration> {
        self.instance.as_ref().and_then(Instance::period)
    }

    fn end(&mut self, fault: &Fault, now: u64) {
        self.instance = None;
        self.book.go_back(&fault.to_string(), now);
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary").field("state", &self.book.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::guests;

    const SECOND: u64 = 1_000_000;

    fn rules() -> CanaryRules {
        CanaryRules {
            share: 0.5,
            max_failures: 0.02,
            max_latency: 0.5,
            window: Duration::from_secs(30),
            least_requests: 100,
            promote_after: None,
        }
    }

    fn book(rules: CanaryRules) -> CanaryBook {
        CanaryBook::new("chat".into(), guests::load("first"), "{}", rules, SECOND)
    }

    /// A second in which each arm has 100 attempts, of which so many fail and the others take so long.
    fn second(book: &CanaryBook, at: u64, failed: [u64; 2], micros: [u32; 2]) {
        for number in 0..100 {
            for arm in [0, 1] {
                book.learn(arm == 1, number < failed[arm], micros[arm], at * SECOND);
            }
        }
        book.look(at * SECOND + SECOND / 2);
    }

    #[test]
    fn a_canary_that_does_no_worse_stays() {
        let book = book(rules());
        (2..100).for_each(|at| second(&book, at, [1, 2], [1_000, 1_400]));
        assert_eq!(book.state(), CanaryState::Trying);
    }

    #[test]
    fn a_canary_that_fails_more_often_goes_back_and_says_why() {
        let book = book(rules());
        second(&book, 2, [1, 9], [1_000, 1_000]);
        let snapshot = book.snapshot();
        assert_eq!(snapshot.state, CanaryState::Returned);
        assert_eq!(snapshot.why.as_deref(), Some("9.00 % of its attempts failed, against 1.00 %"));
    }

    #[test]
    fn a_canary_that_is_slower_goes_back() {
        let book = book(rules());
        second(&book, 2, [0, 0], [1_000, 1_600]);
        assert_eq!(book.state(), CanaryState::Returned);
    }

    #[test]
    fn old_merits_do_not_cover_new_failures() {
        let book = book(rules());
        (2..300).for_each(|at| second(&book, at, [0, 0], [1_000, 1_000]));
        (300..330).for_each(|at| second(&book, at, [0, 10], [1_000, 1_000]));
        assert_eq!(book.state(), CanaryState::Returned);
    }

    #[test]
    fn too_few_requests_prove_nothing() {
        let book = book(CanaryRules { least_requests: 1_000, ..rules() });
        second(&book, 2, [0, 100], [1_000, 1_000]);
        assert_eq!(book.state(), CanaryState::Trying);
    }

    #[test]
    fn a_canary_that_held_out_is_promoted_if_that_is_wished() {
        let book = book(CanaryRules { promote_after: Some(Duration::from_secs(10)), ..rules() });
        (2..=10).for_each(|at| second(&book, at, [0, 0], [1_000, 1_000]));
        assert_eq!(book.state(), CanaryState::Trying);
        (11..13).for_each(|at| second(&book, at, [0, 0], [1_000, 1_000]));
        assert_eq!(book.state(), CanaryState::Promoted);
    }

    #[test]
    fn a_reload_pardons_and_does_not_demote() {
        let book = book(rules());
        book.go_back("a test", SECOND);
        book.pardon(2 * SECOND);
        assert_eq!(book.state(), CanaryState::Trying);
        book.promote("a test", 3 * SECOND);
        book.pardon(4 * SECOND);
        assert_eq!(book.state(), CanaryState::Promoted);
    }
}
