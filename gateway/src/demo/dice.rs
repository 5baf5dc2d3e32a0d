//! Numbers that look random and are the same in every run.

use std::time::Duration;

/// A pair of dice: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Two with different seeds are
/// independent enough for a demo.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end`, without `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        // The upper half of 32 by 32 bits is below the factor.
        ((u64::from(end) * (self.roll() >> 32)) >> 32) as u32
    }

    /// `time`, a quarter more or less.
    pub(super) fn around(&mut self, time: Duration) -> Duration {
        time.mul_f64(0.75 + 0.5 * f64::from(self.below(1000)) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_their_end_and_all_of_them_come() {
        let mut dice = Dice::new(1);
        let mut seen = [false; 6];
        (0..200).for_each(|_| seen[dice.below(6) as usize] = true);
        assert_eq!(seen, [true; 6]);
    }

    #[test]
    fn times_are_around_theirs() {
        let mut dice = Dice::new(2);
        let time = Duration::from_millis(100);
        assert!((0..1000).all(|_| (75..=125).contains(&dice.around(time).as_millis())));
    }
}
