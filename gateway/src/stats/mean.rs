//! A moving average of response times that forgets with time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// After this long a sample has lost most of its weight, milliseconds.
const TAU_MS: f32 = 1_000.0;
/// Least weight of a new sample, however fast samples come.
const LEAST_GAIN: f32 = 1.0 / 16.0;
/// Below this age a mean is read as it stands: relaxing would change it by less than one per cent.
const FRESH_MS: u32 = 32;

/// Geometric mean of durations, weighted towards the present: the mean moves in the logarithm, so
/// a single ten-second outlier does not condemn a backend that answers in ten milliseconds.
///
/// A sample weighs `max(1/16, 1 - exp(-dt/tau))`, `dt` being the time since the last one and
/// `tau` one second. Of several samples within one millisecond the first one counts: at such rates
/// the others tell nothing new, and not writing them keeps the cache line with its readers. Value
/// and time share one atomic word: a reader never sees a value with another value's time. Two
/// writers at once may lose one of two samples, which an average survives and a lock would not
/// repay.
///
/// What is kept is the mean itself and not its logarithm, though the next sample needs that: a
/// policy that scans reads a mean for each backend, while an attempt ends at one of them.
#[derive(Debug, Default)]
pub struct DecayedMean {
    /// Microseconds as `f32` in the low half, time in milliseconds plus one in the high half; 0
    /// before the first sample.
    packed: AtomicU64,
}

impl DecayedMean {
    /// Learns one duration in microseconds at time `now` (microseconds, [`super::clock`]).
    pub fn record(&self, duration: u32, now: u64) {
        let sample = duration.max(1) as f32;
        let now_ms = millis(now);
        let value = match unpack(self.packed.load(Relaxed)) {
            None => sample,
            Some((mean, at)) => {
                let age = now_ms.wrapping_sub(at);
                if age == 0 {
                    return;
                }
                let gain = (1.0 - decay(age, TAU_MS)).max(LEAST_GAIN);
                between(mean, sample, gain)
            }
        };
        self.packed.store(pack(value, now_ms), Relaxed);
    }

    /// Value and time as one number.
    pub(super) fn packed(&self) -> u64 {
        self.packed.load(Relaxed)
    }

    /// Takes on value and time of another mean.
    pub(super) fn set_packed(&self, packed: u64) {
        self.packed.store(packed, Relaxed);
    }

    /// The mean in microseconds, at least 1; none before the first sample.
    #[must_use]
    pub fn get(&self) -> Option<u32> {
        self.micros().map(whole)
    }

    /// The mean in microseconds and their parts; none before the first sample.
    #[must_use]
    pub fn micros(&self) -> Option<f32> {
        unpack(self.packed.load(Relaxed)).map(|(mean, _)| mean)
    }

    /// The mean at time `now`, drawn towards `rest` (microseconds: the upstream's mean) the longer
    /// the last sample lies back, with time constant `3 tau`; `rest` itself without samples. It is
    /// only asked for if it matters.
    #[must_use]
    pub fn relaxed(&self, rest: impl FnOnce() -> f32, now: u64) -> u32 {
        match unpack(self.packed.load(Relaxed)) {
            None => whole(rest()),
            Some((mean, at)) => {
                let age = millis(now).wrapping_sub(at);
                whole(if age < FRESH_MS { mean } else { between(rest(), mean, decay(age, 3.0 * TAU_MS)) })
            }
        }
    }
}

fn millis(micros: u64) -> u32 {
    // Wraps after 49 days; ages are differences, so that only a silence of 49 days is misread.
    (micros / 1_000) as u32
}

/// What is left of a weight of 1 after so many milliseconds.
pub(super) fn decay(age_ms: u32, tau_ms: f32) -> f32 {
    power_of_two(-(age_ms as f32) * std::f32::consts::LOG2_E / tau_ms)
}

/// The point that lies `part` of the way from one duration to another, in logarithms.
fn between(from: f32, to: f32, part: f32) -> f32 {
    from * power_of_two((to / from).log2() * part)
}

/// Microseconds as policies are given them: at least 1, below 2^31.
fn whole(micros: f32) -> u32 {
    const LARGEST: f32 = 2_147_483_520.0; // the largest f32 below 2^31
    (micros + 0.5).clamp(1.0, LARGEST) as u32
}

/// 2^x to five digits, in a few nanoseconds: a policy that scans a quiet upstream relaxes one mean
/// a backend, and the library's exact power would cost more than the rest of the pick. The whole part of `x`
/// becomes the exponent of the float, the rest goes through the series of 2^x around 0.
fn power_of_two(x: f32) -> f32 {
    const SERIES: [f32; 5] = [std::f32::consts::LN_2, 0.240_226_5, 0.055_504_1, 0.009_618_1, 0.001_333_4];
    let x = x.clamp(-126.0, 126.0);
    // Rounding by conversion: `round` is a call into the library on processors without SSE4.1.
    let whole = (x + 0.5f32.copysign(x)) as i32;
    let rest = x - whole as f32;
    let series = SERIES.iter().rev().fold(0.0, |sum, term| (sum + term) * rest);
    f32::from_bits(((whole + 127) as u32) << 23) * (1.0 + series)
}

fn pack(mean: f32, at_ms: u32) -> u64 {
    u64::from(at_ms.wrapping_add(1).max(1)) << 32 | u64::from(mean.to_bits())
}

fn unpack(packed: u64) -> Option<(f32, u32)> {
    let at = (packed >> 32) as u32;
    (at != 0).then(|| (f32::from_bits(packed as u32), at.wrapping_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn near(got: u32, expected: u32) -> bool {
        got.abs_diff(expected) <= expected / 100 + 1
    }

    #[test]
    fn the_first_sample_is_the_mean() {
        let mean = DecayedMean::default();
        assert_eq!(mean.get(), None);
        mean.record(20_000, 1);
        assert!(near(mean.get().unwrap(), 20_000));
    }

    #[test]
    fn one_outlier_among_fast_answers_moves_the_mean_little() {
        let mean = DecayedMean::default();
        for millisecond in 0..100 {
            mean.record(10_000, SECOND + millisecond * 1_000);
        }
        mean.record(10_000_000, SECOND + 100_000);
        // An arithmetic mean with the same gain would now stand at 634 ms.
        assert!(mean.get().unwrap() < 16_000, "{:?}", mean.get());
    }

    #[test]
    fn a_sample_after_a_long_silence_replaces_the_mean() {
        let mean = DecayedMean::default();
        mean.record(1_000, SECOND);
        mean.record(64_000, 60 * SECOND);
        assert!(near(mean.get().unwrap(), 64_000));
    }

    #[test]
    fn silence_draws_the_mean_towards_the_rest() {
        let mean = DecayedMean::default();
        mean.record(1_000_000, SECOND);
        let rest = || 1_000.0;
        assert!(near(mean.relaxed(rest, SECOND), 1_000_000));
        let later = mean.relaxed(rest, 4 * SECOND);
        assert!(later > 10_000 && later < 15_000, "one time constant: {later}");
        assert!(near(mean.relaxed(rest, 60 * SECOND), 1_000));
    }

    #[test]
    fn the_quick_power_is_right_to_five_digits() {
        for step in -2_000..2_000 {
            let x = step as f32 / 63.0;
            assert!((power_of_two(x) / x.exp2() - 1.0).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn extremes_stay_within_the_bits_that_policies_are_given() {
        let mean = DecayedMean::default();
        mean.record(0, 1);
        assert_eq!(mean.get(), Some(1));
        let mean = DecayedMean::default();
        mean.record(u32::MAX, 1);
        assert!(mean.get().unwrap() < 1 << 31);
    }
}
