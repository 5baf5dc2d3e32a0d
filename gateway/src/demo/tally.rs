//! What the load has seen.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::backends::COUNT;

/// Times up to a minute, two exact digits.
const LONGEST: u64 = 60_000_000;

/// Response times in microseconds, since the beginning or the last [`Tally::turn`].
#[derive(Debug)]
pub(super) struct Tally {
    /// Grows with each turn. An answer counts in the turn in which its request was sent.
    turn: u64,
    began: Instant,
    backends: [Histogram<u64>; COUNT],
    failed: u64,
    complaint: Option<String>,
}

/// The answers of one backend, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Answers {
    /// How many.
    pub(super) count: u64,
    /// Half of them came within this time.
    pub(super) p50: Duration,
    /// All but one of a hundred came within this time.
    pub(super) p99: Duration,
}

/// A reading of the tally.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// Since the turn began.
    pub(super) elapsed: Duration,
    /// By backend.
    pub(super) backends: [Answers; COUNT],
    /// All together.
    pub(super) all: Answers,
    /// Requests without a good answer, over all turns.
    pub(super) failed: u64,
}

impl Tally {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// Never: the bounds are good. The histogram wants to be asked.
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        let empty = Histogram::new_with_bounds(1, LONGEST, 2)?;
        let backends = std::array::from_fn(|_| empty.clone());
        Ok(Self { turn: 0, began: Instant::now(), backends, failed: 0, complaint: None })
    }

    /// Forgets the times, not the failures.
    pub(super) fn turn(&mut self) {
        self.turn += 1;
        self.began = Instant::now();
        self.backends.iter_mut().for_each(Histogram::reset);
    }

    /// Which turn a request belongs to that is sent now.
    pub(super) fn now(&self) -> u64 {
        self.turn
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self, turn: u64, backend: usize, took: Duration) {
        if turn == self.turn
            && let Some(histogram) = self.backends.get_mut(backend)
        {
            histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST));
        }
    }

    /// Counts a request without a good answer.
    pub(super) fn failed(&mut self, why: String) {
        self.failed += 1;
        self.complaint.get_or_insert(why);
    }

    /// Why the first request failed.
    pub(super) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// What was seen so far.
    pub(super) fn read(&self) -> Reading {
        let mut all = self.backends[0].clone();
        for other in &self.backends[1..] {
            // All have the same bounds, so that each takes what another held.
            let _ = all.add(other);
        }
        Reading {
            elapsed: self.began.elapsed(),
            backends: std::array::from_fn(|backend| answers(&self.backends[backend])),
            all: answers(&all),
            failed: self.failed,
        }
    }
}

fn answers(histogram: &Histogram<u64>) -> Answers {
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
    Answers { count: histogram.len(), p50: at(0.5), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn answers_count_for_their_backend_and_for_all() {
        let mut tally = Tally::new().unwrap();
        (0..99).for_each(|_| tally.answered(0, 0, 4 * MS));
        tally.answered(0, 2, 100 * MS);
        tally.answered(0, 2, 100 * MS);
        let Reading { backends, all, .. } = tally.read();
        assert_eq!((backends[0].count, backends[1].count, backends[2].count, all.count), (99, 0, 2, 101));
        assert!(all.p50 < 5 * MS && all.p99 > 99 * MS, "{all:?}");
        assert!(backends[0].p99 < 5 * MS);
    }

    #[test]
    fn an_answer_to_a_request_of_an_earlier_turn_does_not_count() {
        let mut tally = Tally::new().unwrap();
        let before = tally.now();
        tally.answered(before, 0, MS);
        tally.turn();
        tally.answered(before, 0, MS);
        assert_eq!(tally.read().all.count, 0);
    }

    #[test]
    fn failures_are_never_forgotten() {
        let mut tally = Tally::new().unwrap();
        tally.failed("refused".into());
        tally.turn();
        tally.failed("cut".into());
        assert_eq!((tally.read().failed, tally.complaint()), (2, Some("refused")));
    }
}
