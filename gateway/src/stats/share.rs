//! A moving share of failures.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::mean::decay;

/// Weight of one attempt.
const GAIN: f32 = 0.05;
/// Without attempts the share falls to a third in this time, milliseconds: a backend that nobody
/// dares to use must get another trial some day.
const TAU_MS: f32 = 10_000.0;

/// Share of failed attempts: each attempt moves it by 5 %, silence lets it fade with a time
/// constant of ten seconds. Packed like [`super::DecayedMean`], and as forgiving to races.
#[derive(Debug, Default)]
pub struct DecayedShare {
    /// The share as `f32` in the low half, time in milliseconds in the high half. All zero means
    /// no failure is remembered, and is what most reads see.
    packed: AtomicU64,
}

impl DecayedShare {
    /// Learns how one attempt ended at time `now`, microseconds.
    pub fn record(&self, failed: bool, now: u64) {
        let before = self.get(now);
        if before == 0.0 && !failed {
            return;
        }
        let target = if failed { 1.0 } else { 0.0 };
        let mut share = before + GAIN * (target - before);
        if share < 1e-6 {
            share = 0.0;
        }
        let at = (now / 1_000) as u32;
        let packed = if share == 0.0 { 0 } else { u64::from(at) << 32 | u64::from(share.to_bits()) };
        self.packed.store(packed, Relaxed);
    }

    /// Value and time as one number.
    pub(super) fn packed(&self) -> u64 {
        self.packed.load(Relaxed)
    }

    /// Takes on value and time of another share.
    pub(super) fn set_packed(&self, packed: u64) {
        self.packed.store(packed, Relaxed);
    }

    /// The share at time `now`, 0.0 to 1.0.
    #[must_use]
    pub fn get(&self, now: u64) -> f32 {
        let packed = self.packed.load(Relaxed);
        if packed == 0 {
            return 0.0;
        }
        let age = ((now / 1_000) as u32).wrapping_sub((packed >> 32) as u32);
        f32::from_bits(packed as u32) * decay(age, TAU_MS)
    }

    /// The share in parts per million.
    #[must_use]
    pub fn ppm(&self, now: u64) -> u32 {
        (self.get(now) * 1_000_000.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::DecayedShare;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn failures_raise_it_and_successes_lower_it() {
        let share = DecayedShare::default();
        share.record(true, SECOND);
        assert_eq!(share.ppm(SECOND), 50_000);
        share.record(false, SECOND);
        assert_eq!(share.ppm(SECOND), 47_500);
        for _ in 0..200 {
            share.record(true, SECOND);
        }
        assert!(share.ppm(SECOND) > 990_000);
    }

    #[test]
    fn silence_forgives() {
        let share = DecayedShare::default();
        share.record(true, SECOND);
        assert!(share.ppm(11 * SECOND) < 20_000);
        assert_eq!(share.ppm(1_000 * SECOND), 0);
    }

    #[test]
    fn a_backend_without_failures_costs_one_load() {
        let share = DecayedShare::default();
        share.record(false, SECOND);
        assert_eq!(share.ppm(SECOND), 0);
    }
}
