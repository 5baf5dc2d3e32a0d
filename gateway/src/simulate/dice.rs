//! Chance, the same for the same seed.

/// A generator of random numbers (splitmix64). Each purpose has its own, so that a policy that
/// asks for one more does not change what arrives.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// For one purpose of a run.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(purpose.as_bytes(), seed))
    }

    /// Where bits that were drawn elsewhere are the beginning of a row.
    pub(crate) fn of(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, but not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The number at this place of the row, without drawing those before it.
    pub(crate) fn unit_of(&self, place: usize) -> f64 {
        Self(self.0.wrapping_add((place as u64).wrapping_mul(0xd1b5_4a32_d192_ed03))).unit()
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Exponentially distributed with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normally distributed with mean 0 and deviation 1 (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (self.unit() * std::f64::consts::TAU).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn means_are_what_they_should_be() {
        let mut dice = Dice::new(1, "test");
        let mean = |draw: &mut dyn FnMut() -> f64| (0..100_000).map(|_| draw()).sum::<f64>() / 1e5;
        assert!((mean(&mut || dice.unit()) - 0.5).abs() < 0.01);
        assert!((mean(&mut || dice.exponential()) - 1.0).abs() < 0.02);
        assert!(mean(&mut || dice.normal()).abs() < 0.02);
        assert!((mean(&mut || dice.below(7) as f64) - 3.0).abs() < 0.05);
    }

    #[test]
    fn purposes_do_not_share_their_numbers() {
        assert_ne!(Dice::new(1, "work").bits(), Dice::new(1, "keys").bits());
        assert_eq!(Dice::new(1, "work").bits(), Dice::new(1, "work").bits());
    }
}
