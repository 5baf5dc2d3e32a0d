//! The guard that counts an attempt for as long as it lives.

use std::ops::Deref;
use std::sync::Arc;

use super::BackendStats;

/// Leads to the backend that an attempt counts for.
pub trait Holder: Deref<Target = BackendStats> {
    /// The attempt is counted no longer: there is room for another.
    fn released(&self) {}
}

impl Holder for Arc<BackendStats> {}

/// An attempt in flight *is* this value: creating it counts, dropping it ends the count. It
/// travels inside the body of the answer, so that an error, a cut connection or a client that
/// leaves cannot be forgotten.
///
/// `H` leads to the backend's statistics. On the request path it is something of the worker's own:
/// a shared counter of references would be one more cache line for workers to fight over.
#[derive(Debug)]
pub struct InFlight<H: Holder> {
    stats: H,
    began: u64,
}

impl<H: Holder> InFlight<H> {
    /// Begins to count an attempt at time `now` (microseconds).
    #[must_use]
    pub fn begin(stats: H, now: u64) -> Self {
        stats.begin(now);
        Self { stats, began: now }
    }

    /// The same, unless `most` attempts are counted already.
    #[must_use]
    pub fn begin_below(stats: H, now: u64, most: u32) -> Option<Self> {
        stats.begin_below(now, most).then(|| Self { stats, began: now })
    }

    /// When the attempt began.
    #[must_use]
    pub fn began(&self) -> u64 {
        self.began
    }

    /// What leads to the backend's statistics.
    #[must_use]
    pub fn holder(&self) -> &H {
        &self.stats
    }
}

impl<H: Holder> Drop for InFlight<H> {
    fn drop(&mut self) {
        self.stats.end(self.began);
        self.stats.released();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_guard_ends_the_count() {
        let stats = Arc::new(BackendStats::default());
        let guard = InFlight::begin(Arc::clone(&stats), 7);
        assert_eq!(stats.in_flight(), 1);
        drop(guard);
        assert_eq!((stats.in_flight(), stats.age(100)), (0, 0));
    }

    #[test]
    fn no_more_than_the_most_are_counted() {
        let stats = Arc::new(BackendStats::default());
        let begin = || InFlight::begin_below(Arc::clone(&stats), 7, 2);
        let guards = [begin(), begin()];
        assert!(guards.iter().all(Option::is_some) && begin().is_none());
        drop(guards);
        assert!(begin().is_some());
        assert_eq!(stats.in_flight(), 0);
    }
}
