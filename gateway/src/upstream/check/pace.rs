//! When the next check is, and what several of them together say.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// A change that checks have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Rose,
    Fell,
}

/// Checks in a row with the same result.
#[derive(Debug, Default)]
pub(super) struct Streak {
    passed: u32,
    failed: u32,
}

impl Streak {
    /// One more result. Tells of a turn again with every further result of its kind: whether it
    /// is news is known elsewhere.
    pub(super) fn note(&mut self, passed: bool, rise: u32, fall: u32) -> Option<Turn> {
        if passed {
            (self.passed, self.failed) = (self.passed.saturating_add(1), 0);
            return (self.passed >= rise).then_some(Turn::Rose);
        }
        (self.passed, self.failed) = (0, self.failed.saturating_add(1));
        (self.failed >= fall).then_some(Turn::Fell)
    }
}

/// The interval, longer or shorter by up to `percent`.
pub(super) fn jittered(interval: Duration, percent: u32) -> Duration {
    // The standard library's hasher is seeded anew with each use: random enough for this.
    vary(interval, percent, RandomState::new().build_hasher().finish())
}

fn vary(interval: Duration, percent: u32, random: u64) -> Duration {
    let share = f64::from(percent.min(100)) / 100.0;
    let turn = (random >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0;
    interval.mul_f64(1.0 + share * turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_are_a_fall_and_two_passes_a_rise() {
        let mut streak = Streak::default();
        let mut note = |passed| streak.note(passed, 2, 3);
        assert_eq!(
            [false, false, true, false, false, false].map(&mut note),
            [None, None, None, None, None, Some(Turn::Fell)]
        );
        assert_eq!([true, false, true, true].map(&mut note), [None, None, None, Some(Turn::Rose)]);
    }

    #[test]
    fn the_interval_varies_within_its_share() {
        let second = Duration::from_secs(1);
        assert_eq!(vary(second, 0, 7), second);
        assert_eq!(vary(second, 10, 0), Duration::from_millis(900));
        assert!(vary(second, 10, u64::MAX) <= Duration::from_millis(1_100));
        assert!((0..99).all(|_| jittered(second, 50) >= Duration::from_millis(500)));
    }
}
