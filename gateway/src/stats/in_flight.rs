//! The guard that counts an attempt for as long as it lives.

use std::sync::Arc;

use super::BackendStats;

/// An attempt in flight *is* this value: creating it counts, dropping it ends the count. It
/// travels inside the body of the answer, so that an error, a cut connection or a client that
/// leaves cannot be forgotten.
#[derive(Debug)]
pub struct InFlight {
    stats: Arc<BackendStats>,
    began: u64,
}

impl InFlight {
    /// Begins to count an attempt at time `now` (microseconds).
    #[must_use]
    pub fn begin(stats: Arc<BackendStats>, now: u64) -> Self {
        stats.begin(now);
        Self { stats, began: now }
    }

    /// When the attempt began.
    #[must_use]
    pub fn began(&self) -> u64 {
        self.began
    }

    /// The backend's statistics.
    #[must_use]
    pub fn stats(&self) -> &BackendStats {
        &self.stats
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.stats.end(self.began);
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
}
