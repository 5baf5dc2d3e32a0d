//! Random numbers out of what the gateway gives.

use crate::Request;

/// More random bits than a request brings, made of its 31 by SplitMix64 (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014). The same request and seed
/// give the same numbers, so a pick can be repeated.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that belong to one pick of one instance.
    #[must_use]
    pub fn new(seed: u64, request: &Request) -> Self {
        Self(seed ^ (u64::from(request.random) << 33))
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uniform number below `end`; 0 when `end` is 0. Exact to 2^-53: no bias that a
    /// measurement could find.
    pub fn below(&mut self, end: u64) -> u64 {
        let unit = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        (unit * end as f64) as u64
    }
}
