//! Counters of one upstream's picks, one set for each worker, so that counting never makes two
//! cores fight for a cache line.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// One pick in so many is timed: reading the clock twice would cost half as much as a pick.
const TIMED: u64 = 64;

/// What is counted beside picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The gateway asked again, because the choice had been tried already or was full.
    Repicks,
    /// The gateway's fallback chose, because the policy failed or there was none to ask.
    Fallbacks,
    /// The policy had no opinion; the fallback chose.
    Abstained,
    /// The policy refused the request.
    Rejected,
}

/// The counters of one worker. Aligned so that two workers never share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Tally {
    picks: AtomicU64,
    timed: AtomicU64,
    nanos: AtomicU64,
    counts: [AtomicU64; 4],
}

/// The sum over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls of `pick`.
    pub picks: u64,
    /// Those that were timed.
    pub timed: u64,
    /// Time that the timed ones took, nanoseconds.
    pub nanos: u64,
    /// [`Count::Repicks`].
    pub repicks: u64,
    /// [`Count::Fallbacks`].
    pub fallbacks: u64,
    /// [`Count::Abstained`].
    pub abstained: u64,
    /// [`Count::Rejected`].
    pub rejected: u64,
}

impl Tally {
    /// Counts a pick that begins now. Hand the answer to [`Tally::picked`] after it.
    #[must_use]
    pub fn begin_pick(&self) -> Option<Instant> {
        let before = self.picks.fetch_add(1, Relaxed);
        before.is_multiple_of(TIMED).then(Instant::now)
    }

    /// Ends a pick, and notes how long it took if it is one of those that are timed.
    pub fn picked(&self, began: Option<Instant>) {
        if let Some(began) = began {
            self.timed.fetch_add(1, Relaxed);
            self.nanos.fetch_add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// Counts one of these.
    pub fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn add_to(&self, totals: &mut Totals) {
        let count = |what: Count| self.counts[what as usize].load(Relaxed);
        totals.picks += self.picks.load(Relaxed);
        totals.timed += self.timed.load(Relaxed);
        totals.nanos += self.nanos.load(Relaxed);
        totals.repicks += count(Count::Repicks);
        totals.fallbacks += count(Count::Fallbacks);
        totals.abstained += count(Count::Abstained);
        totals.rejected += count(Count::Rejected);
    }
}

impl Totals {
    /// Mean duration of a pick in nanoseconds; none before the first.
    #[must_use]
    pub fn mean_nanos(&self) -> Option<u64> {
        self.nanos.checked_div(self.timed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pick_in_sixty_four_is_timed() {
        let tally = Tally::default();
        for _ in 0..130 {
            tally.picked(tally.begin_pick());
        }
        let mut totals = Totals::default();
        tally.add_to(&mut totals);
        assert_eq!((totals.picks, totals.timed), (130, 3));
        assert!(totals.mean_nanos().is_some());
    }

    #[test]
    fn each_count_has_its_own_place() {
        let tally = Tally::default();
        tally.count(Count::Rejected);
        tally.count(Count::Rejected);
        tally.count(Count::Repicks);
        let mut totals = Totals::default();
        tally.add_to(&mut totals);
        assert_eq!((totals.rejected, totals.repicks, totals.fallbacks, totals.abstained), (2, 1, 0, 0));
        assert_eq!(totals.mean_nanos(), None);
    }
}
