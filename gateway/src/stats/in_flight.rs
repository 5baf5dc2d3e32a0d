//! The guard that counts an attempt for as long as it lives.

use std::ops::Deref;

use super::BackendStats;

/// An attempt in flight *is* this value: creating it counts, dropping it ends the count. It
/// travels inside the body of the answer, so that an error, a cut connection or a client that
/// leaves cannot be forgotten.
///
/// `H` leads to the backend's statistics. On the request path it is something of the worker's own:
/// a shared counter of references would be one more cache line for workers to fight over.
#[derive(Debug)]
pub struct InFlight<H: Deref<Target = BackendStats>> {
    stats: H,
    began: u64,
}

impl<H: Deref<Target = BackendStats>> InFlight<H> {
    /// Begins to count an attempt at time `now` (microseconds).
    #[must_use]
    pub fn begin(stats: H, now: u64) -> Self {
        stats.begin(now);
        Self { stats, began: now }
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

impl<H: Deref<Target = BackendStats>> Drop for InFlight<H> {
    fn drop(&mut self) {
        self.stats.end(self.began);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn dropping_the_guard_ends_the_count() {
        let stats = Arc::new(BackendStats::default());
        let guard = InFlight::begin(Arc::clone(&stats), 7);
        assert_eq!(stats.in_flight(), 1);
        drop(guard);
        assert_eq!((stats.in_flight(), stats.age(100)), (0, 0));
    }
}
