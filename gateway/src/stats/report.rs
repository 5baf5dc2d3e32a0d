//! What a backend says of itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The load of a backend as it sees it: the WIT's `stats.report`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Use of its capacity, parts per million.
    pub load: u32,
    /// Requests that it serves, from everybody, in thousandths of a request per second; 0 when it
    /// did not say.
    pub requests: u32,
    /// Those of them that fail, in the same unit.
    pub errors: u32,
    /// When it said so, on the gateway's clock.
    pub at: u64,
}

/// The last report. Its parts are written one after the other: a reader may see the load of one
/// report beside the errors of the next, which an average over seconds survives.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Load in the upper half, requests in the lower.
    served: AtomicU64,
    errors: AtomicU64,
    /// 0 before the first report.
    at: AtomicU64,
}

impl Noted {
    /// Its parts as they are kept, to be copied.
    pub(super) fn numbers(&self) -> [u64; 3] {
        [&self.served, &self.errors, &self.at].map(|part| part.load(Relaxed))
    }

    /// Becomes a copy of what these numbers are of.
    pub(super) fn take_on(&self, [served, errors, at]: [u64; 3]) {
        self.served.store(served, Relaxed);
        self.errors.store(errors, Relaxed);
        self.at.store(at, Relaxed);
    }

    pub(super) fn store(&self, report: Report) {
        self.served.store(u64::from(report.load) << 32 | u64::from(report.requests), Relaxed);
        self.errors.store(u64::from(report.errors), Relaxed);
        self.at.store(report.at, Relaxed);
    }

    pub(super) fn load(&self) -> Option<Report> {
        let at = self.at.load(Relaxed);
        let served = self.served.load(Relaxed);
        let report = Report {
            load: (served >> 32) as u32,
            requests: served as u32,
            errors: self.errors.load(Relaxed) as u32,
            at,
        };
        (at != 0).then_some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::{Noted, Report};

    #[test]
    fn the_last_report_is_kept() {
        let noted = Noted::default();
        assert_eq!(noted.load(), None);
        let report = Report { load: 750_000, requests: 12_500, errors: 3, at: 9 };
        noted.store(Report { load: 1, ..report });
        noted.store(report);
        assert_eq!(noted.load(), Some(report));
    }
}
