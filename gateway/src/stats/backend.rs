//! What is counted for one backend, and for one upstream.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use super::report::Noted;
use super::{DecayedMean, DecayedShare, Outcome, Report, Verdict, clock};

/// Response time assumed before an upstream has answered anything, microseconds.
const UNKNOWN_LATENCY: f32 = 1_000.0;

/// The statistics of one backend. They outlive generations: a backend that stays configured
/// keeps them over every reload. Aligned so that two backends never share a cache line.
#[derive(Debug)]
#[repr(align(128))]
pub struct BackendStats {
    hot: Hot,
    last_used: AtomicU64,
    latency: DecayedMean,
    first_byte: DecayedMean,
    connect: DecayedMean,
    failures: DecayedShare,
    report: Noted,
    known_since: u64,
}

/// What every attempt writes, on a cache line of its own: with two workers each write moves the
/// line from core to core, and what is only read must not move with it.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Hot {
    in_flight: AtomicU32,
    failures_in_a_row: AtomicU32,
    /// Sum of the start times of what is in flight, so that the mean age is one subtraction.
    started_sum: AtomicU64,
    totals: [AtomicU64; Verdict::ALL.len()],
}

/// `last_used` is written no more often than this, microseconds.
const USED_GRAIN: u64 = 1_000;

/// How many [`BackendStats::numbers`] there are.
pub const NUMBERS: usize = 12 + Verdict::ALL.len();

/// What is known about an upstream as a whole: where a backend without samples starts.
#[derive(Debug, Default)]
pub struct UpstreamStats {
    latency: DecayedMean,
    retries: AtomicU64,
    denied_retries: AtomicU64,
}

impl UpstreamStats {
    fn rest(&self) -> f32 {
        self.latency.micros().unwrap_or(UNKNOWN_LATENCY)
    }

    /// Everything that is counted, as a plain number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.latency.packed()
    }

    /// Becomes a copy of the statistics that this [`UpstreamStats::number`] is of.
    pub fn take_on(&self, number: u64) {
        self.latency.set_packed(number);
    }

    /// A request goes on to another attempt.
    pub fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// It could have, but the budget was used up.
    pub fn count_denied_retry(&self) {
        self.denied_retries.fetch_add(1, Relaxed);
    }

    /// Retries so far: made, denied.
    #[must_use]
    pub fn retries(&self) -> (u64, u64) {
        (self.retries.load(Relaxed), self.denied_retries.load(Relaxed))
    }

    /// Decayed mean response time over all backends, microseconds; none before the first answer.
    #[must_use]
    pub fn latency(&self) -> Option<u32> {
        self.latency.get()
    }
}

impl Default for BackendStats {
    fn default() -> Self {
        Self {
            hot: Hot::default(),
            last_used: AtomicU64::new(0),
            latency: DecayedMean::default(),
            first_byte: DecayedMean::default(),
            connect: DecayedMean::default(),
            failures: DecayedShare::default(),
            report: Noted::default(),
            known_since: clock::now(),
        }
    }
}

impl BackendStats {
    /// Of a backend that the gateway learns of at time `now`. Nothing here looks at a clock by
    /// itself: every time comes from the caller, so that time may as well be made up.
    #[must_use]
    pub fn known_from(now: u64) -> Self {
        Self { known_since: now, ..Self::default() }
    }

    /// Everything that is counted, as plain numbers, in this order: in flight, failures in a row, sum
    /// of the starts of what is in flight, totals by verdict, last used; means of response time,
    /// time to the head and time to connect, share of failures (each packed with its time); load
    /// and requests reported, errors reported, when; known since. [`BackendStats::take_on`] makes the same statistics of them.
    #[must_use]
    pub fn numbers(&self) -> [u64; NUMBERS] {
        let Self { hot, last_used, latency, first_byte, connect, failures, report, known_since } = self;
        let Hot { in_flight, failures_in_a_row, started_sum, totals } = hot;
        let mut numbers = [0; NUMBERS];
        let values = [in_flight.load(Relaxed).into(), failures_in_a_row.load(Relaxed).into()]
            .into_iter()
            .chain(
                [started_sum].into_iter().chain(totals).chain([last_used]).map(|number| number.load(Relaxed)),
            )
            .chain([latency.packed(), first_byte.packed(), connect.packed(), failures.packed()])
            .chain(report.numbers())
            .chain([*known_since]);
        numbers.iter_mut().zip(values).for_each(|(number, value)| *number = value);
        numbers
    }

    /// Becomes a copy of the statistics that these [`BackendStats::numbers`] are of, but for when
    /// the backend became known, which never changes.
    pub fn take_on(&self, numbers: &[u64; NUMBERS]) {
        let [in_flight, in_a_row, started, rest @ ..] = *numbers;
        self.hot.in_flight.store(in_flight as u32, Relaxed);
        self.hot.failures_in_a_row.store(in_a_row as u32, Relaxed);
        self.hot.started_sum.store(started, Relaxed);
        let (totals, rest) = rest.split_at(Verdict::ALL.len());
        self.hot.totals.iter().zip(totals).for_each(|(total, value)| total.store(*value, Relaxed));
        if let [last_used, latency, first_byte, connect, failures, served, errors, at, _] = *rest {
            self.last_used.store(last_used, Relaxed);
            self.latency.set_packed(latency);
            self.first_byte.set_packed(first_byte);
            self.connect.set_packed(connect);
            self.failures.set_packed(failures);
            self.report.take_on([served, errors, at]);
        }
    }

    /// New statistics with these [`BackendStats::numbers`].
    #[must_use]
    pub fn of_numbers(numbers: &[u64; NUMBERS]) -> Self {
        let stats = Self::known_from(numbers[NUMBERS - 1]);
        stats.take_on(numbers);
        stats
    }

    pub(super) fn begin(&self, now: u64) {
        self.hot.in_flight.fetch_add(1, Relaxed);
        self.note_begin(now);
    }

    /// Begins only if fewer than `most` are in flight.
    pub(super) fn begin_below(&self, now: u64, most: u32) -> bool {
        let add = |in_flight| (in_flight < most).then_some(in_flight + 1);
        let begun = self.hot.in_flight.fetch_update(SeqCst, SeqCst, add).is_ok();
        if begun {
            self.note_begin(now);
        }
        begun
    }

    fn note_begin(&self, now: u64) {
        self.hot.started_sum.fetch_add(now, Relaxed);
        if now.saturating_sub(self.last_used.load(Relaxed)) >= USED_GRAIN {
            self.last_used.store(now, Relaxed);
        }
    }

    /// Counts so many attempts as begun at this moment and never ended: for trying what a policy
    /// makes of numbers that nobody could reach one by one.
    pub fn crowd(&self, attempts: u32, began: u64) {
        self.hot.in_flight.fetch_add(attempts, Relaxed);
        self.hot.started_sum.fetch_add(began.wrapping_mul(u64::from(attempts)), Relaxed);
    }

    pub(super) fn end(&self, began: u64) {
        self.hot.in_flight.fetch_sub(1, Relaxed);
        self.hot.started_sum.fetch_sub(began, Relaxed);
    }

    /// Learns from an ended attempt. A failure counts as slow, never as fast: it can raise the
    /// mean response time but not lower it, else a backend that fails at once would look like
    /// the best of all. Until anybody has answered there is nothing to be slower than: a failure
    /// then says nothing about time.
    pub fn record(&self, outcome: &Outcome, upstream: &UpstreamStats) {
        self.hot.totals[outcome.verdict as usize].fetch_add(1, Relaxed);
        if outcome.verdict == Verdict::Cancelled {
            return;
        }
        let now = outcome.now;
        let failed = outcome.verdict.is_failure();
        self.failures.record(failed, now);
        if outcome.connect > 0 {
            self.connect.record(outcome.connect, now);
        }
        if failed {
            self.hot.failures_in_a_row.fetch_add(1, Relaxed);
            if self.latency.micros().or_else(|| upstream.latency.micros()).is_some() {
                let usual = self.latency.relaxed(|| upstream.rest(), now);
                self.latency.record(outcome.total.max(usual), now);
            }
            return;
        }
        if self.hot.failures_in_a_row.load(Relaxed) != 0 {
            self.hot.failures_in_a_row.store(0, Relaxed);
        }
        self.first_byte.record(outcome.first_byte, now);
        self.latency.record(outcome.total, now);
        upstream.latency.record(outcome.total, now);
    }

    /// Notes a client that was sent there by a redirect. What becomes of it nobody will know.
    pub fn count_redirect(&self) {
        self.hot.totals[Verdict::Success as usize].fetch_add(1, Relaxed);
    }

    /// Notes what the backend reported of itself.
    pub fn note_report(&self, report: Report) {
        self.report.store(report);
    }

    /// Attempts begun and not ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.hot.in_flight.load(Relaxed)
    }

    /// Mean response time, microseconds, at least 1; that of the upstream when this backend has
    /// no samples or has been silent for long.
    #[must_use]
    pub fn latency(&self, upstream: &UpstreamStats, now: u64) -> u32 {
        self.latency.relaxed(|| upstream.rest(), now)
    }

    /// Mean age of what is in flight, microseconds; 0 when nothing is.
    #[must_use]
    pub fn age(&self, now: u64) -> u32 {
        let in_flight = u64::from(self.in_flight());
        if in_flight == 0 {
            return 0;
        }
        // The two atomics are read one after the other: a race can only blur the mean.
        clock::span(self.hot.started_sum.load(Relaxed) / in_flight, now)
    }

    /// Decayed share of failed attempts, parts per million.
    #[must_use]
    pub fn failures(&self, now: u64) -> u32 {
        self.failures.ppm(now)
    }

    /// Failures since the last success.
    #[must_use]
    pub fn failures_in_a_row(&self) -> u32 {
        self.hot.failures_in_a_row.load(Relaxed)
    }

    /// Attempts that ended so.
    #[must_use]
    pub fn total(&self, verdict: Verdict) -> u64 {
        self.hot.totals[verdict as usize].load(Relaxed)
    }

    /// Mean time to the head of an answer, microseconds.
    #[must_use]
    pub fn first_byte(&self) -> Option<u32> {
        self.first_byte.get()
    }

    /// Mean time to connect, microseconds.
    #[must_use]
    pub fn connect(&self) -> Option<u32> {
        self.connect.get()
    }

    /// When an attempt last began; 0 if never.
    #[must_use]
    pub fn last_used(&self) -> u64 {
        self.last_used.load(Relaxed)
    }

    /// When the gateway learnt of this backend.
    #[must_use]
    pub fn known_since(&self) -> u64 {
        self.known_since
    }

    /// What it last reported of itself; none if it never did.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.report.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(verdict: Verdict, total: u32, now: u64) -> Outcome {
        Outcome { verdict, status: 200, connect: 0, first_byte: total / 2, total, now }
    }

    #[test]
    fn a_cold_backend_has_the_mean_of_its_upstream() {
        let (upstream, warm, cold) =
            (UpstreamStats::default(), BackendStats::default(), BackendStats::default());
        assert_eq!(cold.latency(&upstream, 1), 1_000, "nobody has answered yet");
        warm.record(&outcome(Verdict::Success, 40_000, 1), &upstream);
        assert!(cold.latency(&upstream, 1).abs_diff(40_000) < 100);
    }

    #[test]
    fn failing_at_once_never_looks_fast() {
        let (upstream, backend) = (UpstreamStats::default(), BackendStats::default());
        backend.record(&outcome(Verdict::Success, 20_000, 1), &upstream);
        for now in 2..500 {
            backend.record(&outcome(Verdict::ServerError, 100, now), &upstream);
        }
        assert!(backend.latency(&upstream, 500) > 19_000);
        assert!(backend.failures(500) > 900_000);
        assert_eq!(backend.failures_in_a_row(), 498);
    }

    #[test]
    fn failing_before_anybody_has_answered_does_not_look_fast_either() {
        let (upstream, [failing, other]) =
            (UpstreamStats::default(), [(); 2].map(|()| BackendStats::default()));
        for now in 1..50 {
            failing.record(&outcome(Verdict::ServerError, 100, now), &upstream);
        }
        other.record(&outcome(Verdict::Success, 20_000, 50), &upstream);
        failing.record(&outcome(Verdict::ServerError, 100, 51), &upstream);
        assert!(failing.latency(&upstream, 51) > 19_000);
    }

    #[test]
    fn a_client_that_leaves_says_nothing_about_the_backend() {
        let (upstream, backend) = (UpstreamStats::default(), BackendStats::default());
        backend.record(&outcome(Verdict::Cancelled, 5_000_000, 1), &upstream);
        assert_eq!((backend.failures(1), backend.failures_in_a_row()), (0, 0));
        assert_eq!(backend.total(Verdict::Cancelled), 1);
    }

    #[test]
    fn a_copy_by_numbers_is_a_whole_copy() {
        let (upstream, backend) = (UpstreamStats::default(), BackendStats::known_from(77));
        for (now, verdict) in (1..).zip(Verdict::ALL) {
            backend.record(&outcome(verdict, 40_000, now * 1_000), &upstream);
        }
        let connected = Outcome { connect: 300, ..outcome(Verdict::Success, 9_000, 8_000) };
        backend.record(&connected, &upstream);
        backend.begin(9_000);
        backend.note_report(Report { load: 500_000, requests: 7, errors: 1, at: 9_500 });
        backend.record(&outcome(Verdict::Broken, 1, 9_900), &upstream);
        let copy = BackendStats::of_numbers(&backend.numbers());
        assert_eq!(format!("{copy:?}"), format!("{backend:?}"));
        assert!(backend.numbers().iter().all(|number| *number != 0), "{:?}", backend.numbers());
    }

    #[test]
    fn age_is_the_mean_over_what_is_in_flight() {
        let backend = BackendStats::default();
        assert_eq!(backend.age(1_000), 0);
        backend.begin(1_000);
        backend.begin(3_000);
        assert_eq!(backend.age(4_000), 2_000);
        backend.end(1_000);
        assert_eq!(backend.age(4_000), 1_000);
    }
}
