//! What one more request costs at a candidate.

use pointsman_policy::stats::{self, Detail};

use crate::window::class;

/// How much more a backend counts as having to do that always fails, less one.
const FAILURE_COST: f64 = 20.0;
/// The share of failures after one that came alone, parts per million.
pub(crate) const SINGLE: u32 = 50_000;
/// So many failures in a row are no bad luck, and response times say nothing about such a backend.
pub(crate) const STREAK: u32 = 3;
/// It is given one request after this time, microseconds, and with each failure the time grows by as much.
pub(crate) const PAUSE: u64 = 3_000_000;
/// To this at most, microseconds.
pub(crate) const PAUSE_MAX: u64 = 30_000_000;
/// By what its load is multiplied in between: it is the last to be taken.
const PAUSED: f64 = 1_000.0;
/// What of the mean age of the requests in flight counts as the response time. On a healthy backend a single
/// long request is older than the mean now and then: that is no news. One that stalls gets there soon.
const AGE_COUNTS: f64 = 0.5;

/// A candidate that is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) index: u32,
    pub(crate) in_flight: u32,
    pub(crate) latency: u32,
    /// How busy it is, as the window tells it apart.
    pub(crate) class: u16,
    /// Requests in flight and one more, for the weight, times what failures make of it.
    pub(crate) load: f64,
    /// What one more request costs there, or less than that until it is `exact`.
    pub(crate) cost: f64,
    /// Whether age and failures are in the cost.
    pub(crate) exact: bool,
}

impl Seen {
    pub(crate) fn new(index: u32, in_flight: u32, latency: u32, share: f64) -> Self {
        let load = (f64::from(in_flight) + 1.0) * share;
        let class = busy(f64::from(in_flight) * share);
        let cost = f64::from(latency) * load * load;
        Self { index, in_flight, latency, class, load, cost, exact: false }
    }

    /// From now on all candidates are as fast: only what they have to do counts, and failures.
    pub(crate) fn forget_times(&mut self) {
        self.latency = 0;
        self.cost = self.load * self.load;
    }

    /// Takes the age of what it works on and its failures into the cost, which only grows by it.
    pub(crate) fn settle(&mut self, age: u32, failures: u32, others: Others, now: u64) {
        let mut latency = f64::from(self.latency);
        if self.in_flight > 0 {
            latency = latency.max(AGE_COUNTS * f64::from(age));
        }
        if failures > 0 {
            let detail = stats::detail_of(self.index);
            if detail.failures_in_a_row < STREAK {
                self.load *= penalty(failures);
            } else {
                latency = latency.max(others.usual);
                if is_paused(&detail, others, now) {
                    self.load *= PAUSED;
                    self.class = u16::MAX;
                }
            }
        }
        let latency = if self.latency > 0 { latency } else { 1.0 };
        self.cost = latency * self.load * self.load;
        self.exact = true;
    }
}

/// What one that fails is compared with; microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Others {
    /// Their mean response time.
    pub(crate) usual: f64,
    /// Where half of them fail, all may be well again at any moment, and one alone must not bear it for long.
    pub(crate) longest_pause: u64,
}

/// The class of so many requests in flight for the weight.
pub(crate) fn busy(in_flight: f64) -> u16 {
    class((4.0 * in_flight) as u32)
}

/// By what a share of failures, in parts per million, multiplies the load: 1 or more. Single ones do not
/// count, else those that everybody has now and then would scatter the load.
pub(crate) fn penalty(failures: u32) -> f64 {
    1.0 + FAILURE_COST * 1e-6 * f64::from(failures.saturating_sub(SINGLE))
}

/// Is a backend left alone that failed so often in a row?
pub(crate) fn is_paused(detail: &Detail, others: Others, now: u64) -> bool {
    let pause = PAUSE * (u64::from(detail.failures_in_a_row.max(STREAK) - STREAK) + 1);
    now.saturating_sub(detail.last_used) < pause.min(others.longest_pause)
}
