//! Which version of a policy serves an upstream, how it does, and what happens when it fails.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tally::{Tally, Totals};
use super::{FaultKind, Policy};

/// Quarantined versions that are remembered; an upstream with more has other worries.
const REMEMBERED: usize = 8;

/// When a policy has failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// This many faults are too many...
    pub max_faults: u32,
    /// ...within this time.
    pub window: Duration,
}

impl Default for Rules {
    /// Five faults within a minute.
    fn default() -> Self {
        Self { max_faults: 5, window: Duration::from_secs(60) }
    }
}

/// What a fault leads to. In both cases the caller drops the instance, lets the fallback serve,
/// and prepares an instance of whatever [`Roster::serving`] names then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The version goes on; or it had been replaced already.
    Replace,
    /// The version is out, from this moment on: say it loudly.
    Quarantine,
}

/// The book on one upstream, shared by all workers and kept over reloads. The counters of picks
/// are plain atomics; the rest stands behind a lock that only faults, reloads and readers of the
/// state page take.
#[derive(Debug)]
pub struct Roster {
    upstream: Arc<str>,
    tallies: Box<[Tally]>,
    faults: [AtomicU64; FaultKind::ALL.len()],
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    rules: Rules,
    serving: Option<Arc<Policy>>,
    since: u64,
    last_good: Option<Arc<Policy>>,
    /// When the serving version failed lately.
    recent: VecDeque<u64>,
    quarantined: Vec<Quarantine>,
    last_fault: Option<String>,
}

/// A version that is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Name and version.
    pub policy: (String, String),
    /// Since when, on the gateway's clock.
    pub since: u64,
    /// The last fault.
    pub why: String,
}

/// Everything in the book at one moment, for the state page.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The version that serves; none: the fallback does.
    pub serving: Option<Arc<Policy>>,
    /// Since when, on the gateway's clock.
    pub since: u64,
    /// The version that would come back if this one failed.
    pub last_good: Option<Arc<Policy>>,
    /// Versions that are out, the latest last.
    pub quarantined: Vec<Quarantine>,
    /// Faults of the serving version within the window, as of the last fault.
    pub recent_faults: usize,
    /// The last fault of any version.
    pub last_fault: Option<String>,
    /// Faults by kind since the upstream is known, in the order of [`FaultKind::ALL`].
    pub faults: [u64; FaultKind::ALL.len()],
    /// Picks and what came of them.
    pub totals: Totals,
}

impl Roster {
    /// A book without any policy: the fallback serves.
    #[must_use]
    pub fn new(upstream: Arc<str>, rules: Rules, workers: usize) -> Self {
        let tallies = (0..workers.max(1)).map(|_| Tally::default()).collect();
        let standing = Mutex::new(Standing { rules, ..Standing::default() });
        Self { upstream, tallies, faults: Default::default(), standing }
    }

    /// The counters of a worker, by its number from 0.
    #[must_use]
    pub fn tally(&self, worker: usize) -> &Tally {
        &self.tallies[worker % self.tallies.len()]
    }

    /// The version that serves; none: the fallback does.
    #[must_use]
    pub fn serving(&self) -> Option<Arc<Policy>> {
        self.standing().serving.clone()
    }

    /// Applies changed rules from now on.
    pub fn set_rules(&self, rules: Rules) {
        self.standing().rules = rules;
    }

    /// Lets a version serve that was tried with success; the one before is kept as the last good
    /// one if it goes by the same name. Nothing changes for the version that serves already.
    ///
    /// Answers false, and changes nothing, when this version is in quarantine: a reload of an
    /// unchanged file must not bring it back. [`Roster::pardon`] does.
    pub fn serve(&self, policy: Arc<Policy>, now: u64) -> bool {
        let mut standing = self.standing();
        if standing.quarantined.iter().any(|q| q.is(&policy)) {
            return false;
        }
        if standing.serving.as_ref().is_some_and(|serving| same(serving, &policy)) {
            return true;
        }
        let before = standing.serving.replace(policy);
        let name = standing.serving.as_ref().map(|policy| policy.name().to_owned());
        standing.last_good = before.filter(|before| Some(before.name()) == name.as_deref());
        standing.since = now;
        standing.recent.clear();
        true
    }

    /// Lets the fallback serve, as for an upstream without a policy.
    pub fn retire(&self, now: u64) {
        let mut standing = self.standing();
        (standing.serving, standing.last_good, standing.since) = (None, None, now);
        standing.recent.clear();
    }

    /// Forgets all quarantines, so that those versions may serve again.
    pub fn pardon(&self) {
        self.standing().quarantined.clear();
    }

    /// Notes a fault of an instance of `policy` at time `now` (microseconds) and decides what
    /// becomes of the version. A late fault of a version that no longer serves is only counted.
    pub fn fault(&self, policy: &Policy, kind: FaultKind, why: &str, now: u64) -> Verdict {
        self.faults[kind as usize].fetch_add(1, Relaxed);
        let mut standing = self.standing();
        standing.last_fault = Some(why.to_owned());
        if !standing.serving.as_ref().is_some_and(|serving| same(serving, policy)) {
            return Verdict::Replace;
        }
        if standing.note(now) < standing.rules.max_faults as usize {
            return Verdict::Replace;
        }
        standing.quarantine(policy, why, now);
        Verdict::Quarantine
    }

    /// The book as it stands.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut totals = Totals::default();
        self.tallies.iter().for_each(|tally| tally.add_to(&mut totals));
        let standing = self.standing();
        Snapshot {
            upstream: Arc::clone(&self.upstream),
            serving: standing.serving.clone(),
            since: standing.since,
            last_good: standing.last_good.clone(),
            quarantined: standing.quarantined.clone(),
            recent_faults: standing.recent.len(),
            last_fault: standing.last_fault.clone(),
            faults: std::array::from_fn(|kind| self.faults[kind].load(Relaxed)),
            totals,
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Every change leaves the book consistent, so a panic elsewhere has not spoiled it.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Notes a fault and answers how many there were within the window.
    fn note(&mut self, now: u64) -> usize {
        let window = u64::try_from(self.rules.window.as_micros()).unwrap_or(u64::MAX);
        let since = now.saturating_sub(window);
        while self.recent.front().is_some_and(|at| *at < since) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.recent.len()
    }

    /// Puts the serving version out and the last good one back.
    fn quarantine(&mut self, policy: &Policy, why: &str, now: u64) {
        if self.quarantined.len() == REMEMBERED {
            self.quarantined.remove(0);
        }
        let policy = (policy.name().to_owned(), policy.version().to_owned());
        self.quarantined.push(Quarantine { policy, since: now, why: why.to_owned() });
        self.serving = self.last_good.take();
        self.since = now;
        self.recent.clear();
    }
}

impl Quarantine {
    /// Is it this policy, in this version?
    #[must_use]
    pub fn is(&self, policy: &Policy) -> bool {
        self.policy.0 == policy.name() && self.policy.1 == policy.version()
    }
}

fn same(one: &Policy, other: &Policy) -> bool {
    one.name() == other.name() && one.version() == other.version()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::guests;

    const SECOND: u64 = 1_000_000;

    fn roster() -> Roster {
        Roster::new("chat".into(), Rules { max_faults: 3, window: Duration::from_secs(10) }, 2)
    }

    fn versions() -> [Arc<Policy>; 2] {
        ["first", "abstains"].map(|guest| guests::load_as("balance", guest))
    }

    fn fail(roster: &Roster, policy: &Policy, at: u64) -> Verdict {
        roster.fault(policy, FaultKind::Trap, "it trapped", at * SECOND)
    }

    #[test]
    fn a_few_faults_are_forgiven_and_too_many_are_not() {
        let (roster, [policy, _]) = (roster(), versions());
        assert!(roster.serve(Arc::clone(&policy), 1));
        assert_eq!(
            [1, 2, 3].map(|at| fail(&roster, &policy, at)),
            [Verdict::Replace, Verdict::Replace, Verdict::Quarantine]
        );
        assert!(roster.serving().is_none(), "the fallback serves");
        let snapshot = roster.snapshot();
        assert_eq!(snapshot.quarantined[0].why, "it trapped");
        assert_eq!(snapshot.faults[FaultKind::Trap as usize], 3);
    }

    #[test]
    fn faults_far_apart_are_forgiven() {
        let (roster, [policy, _]) = (roster(), versions());
        roster.serve(Arc::clone(&policy), 1);
        for at in [1, 8, 15, 22, 29] {
            assert_eq!(fail(&roster, &policy, at), Verdict::Replace);
        }
    }

    #[test]
    fn the_last_good_version_of_the_same_name_comes_back() {
        let (roster, [good, bad]) = (roster(), versions());
        roster.serve(Arc::clone(&good), 1);
        roster.serve(Arc::clone(&bad), 2);
        for at in 3..=5 {
            fail(&roster, &bad, at);
        }
        assert_eq!(roster.serving().unwrap().version(), good.version());
    }

    #[test]
    fn a_version_of_another_name_does_not_come_back() {
        let (roster, [_, bad]) = (roster(), versions());
        roster.serve(guests::load_as("other", "first"), 1);
        roster.serve(Arc::clone(&bad), 2);
        for at in 3..=5 {
            fail(&roster, &bad, at);
        }
        assert!(roster.serving().is_none());
    }

    #[test]
    fn a_quarantined_version_serves_again_only_after_a_pardon() {
        let (roster, [policy, _]) = (roster(), versions());
        roster.serve(Arc::clone(&policy), 1);
        for at in 1..=3 {
            fail(&roster, &policy, at);
        }
        assert!(!roster.serve(Arc::clone(&policy), 4));
        roster.pardon();
        assert!(roster.serve(policy, 5));
    }

    #[test]
    fn late_faults_of_a_replaced_version_do_not_count_against_the_new_one() {
        let (roster, [old, new]) = (roster(), versions());
        roster.serve(Arc::clone(&old), 1);
        roster.serve(Arc::clone(&new), 2);
        for at in 3..9 {
            assert_eq!(fail(&roster, &old, at), Verdict::Replace);
        }
        assert_eq!(roster.serving().unwrap().version(), new.version());
    }

    #[test]
    fn picks_of_all_workers_add_up() {
        let roster = roster();
        for worker in [0, 1, 1] {
            let tally = roster.tally(worker);
            tally.picked(tally.begin_pick());
        }
        assert_eq!(roster.snapshot().totals.picks, 3);
    }
}
