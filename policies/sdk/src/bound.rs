//! Bounded loads for hashes: nobody gets much more than its share, however popular its keys are.

use crate::{Backend, stats};

/// Largest factor that makes sense to write down.
const FACTOR_MAX: f64 = 1000.0;

/// How much each candidate may have in flight, compared with its share by weight of what all
/// have: 1.25 lets each have a quarter more (Mirrokni, Thorup and Zadimoghaddam, "Consistent
/// hashing with bounded loads", 2018). A hash then sends a key on when its backend is full.
///
/// The shares are whole requests, dealt out as HAProxy's `hash-balance-factor` deals them
/// (`src/lb_chash.c`): never less than one, and together never less than what is in flight and
/// one more, so somebody is always free.
#[derive(Clone, Debug)]
pub struct Bound {
    percent: u64,
    /// Weights of all candidates before each, and of all together at the end.
    before: Vec<u64>,
}

impl Bound {
    /// A bound by `factor` for these candidates; none for a factor of 0, which means no bound.
    ///
    /// # Errors
    /// A factor that is not above 1, told as an error of the option `bound`.
    pub fn new(factor: f64, backends: &[Backend]) -> Result<Option<Self>, String> {
        if factor == 0.0 {
            return Ok(None);
        }
        let percent = (factor * 100.0) as u64;
        if percent <= 100 || factor > FACTOR_MAX {
            // Without what was found: code that prints fractions is a quarter of a component.
            return Err("bound: expected 0 (none), or a factor from 1.01 to 1000, as 1.25".into());
        }
        let mut before = vec![0];
        let mut sum = 0;
        for backend in backends {
            sum += u64::from(backend.weight);
            before.push(sum);
        }
        Ok(Some(Self { percent, before }))
    }

    /// What candidate `index` may have in flight while all together have `total`.
    #[must_use]
    pub fn limit(&self, index: u32, total: u32) -> u64 {
        let index = index as usize;
        let (Some(before), Some(after)) = (self.before.get(index), self.before.get(index + 1)) else {
            return 0;
        };
        let weights = self.before.last().copied().unwrap_or(0).max(1);
        let slots = ((u64::from(total) + 1) * self.percent).div_ceil(100);
        let (each, rest) = (slots / weights, slots % weights);
        let mine = (after - before) * each + after * rest / weights - before * rest / weights;
        mine.max(1)
    }

    /// Whether a candidate may take one more now. The sum over all is asked for once.
    pub fn free(&self) -> impl Fn(u32) -> bool {
        let total = stats::in_flight_total();
        move |index| u64::from(stats::in_flight_of(index)) < self.limit(index, total)
    }
}

#[cfg(test)]
mod tests {
    use super::Bound;
    use crate::testing::{backends, numbers, rows};

    fn bound(factor: f64, weights: &[u32]) -> Bound {
        Bound::new(factor, &backends(weights)).expect("a good factor").expect("a bound")
    }

    #[test]
    fn a_factor_that_is_none_is_refused() {
        for factor in [0.5, 1.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
            let error = Bound::new(factor, &backends(&[1])).expect_err("no factor");
            assert_eq!(error, "bound: expected 0 (none), or a factor from 1.01 to 1000, as 1.25");
        }
        assert!(Bound::new(0.0, &backends(&[1])).expect("no bound").is_none());
    }

    #[test]
    fn shares_follow_the_weights_and_leave_room_for_one_more() {
        for (factor, weights) in
            [(1.01, &[1, 1, 1][..]), (1.25, &[1, 2, 4]), (2.0, &[5; 20]), (1.5, &[65535, 1])]
        {
            let bound = bound(factor, weights);
            for total in [0, 1, 2, 3, 10, 99, 1_000, (1 << 31) - 1] {
                let limits: u64 = (0..weights.len() as u32).map(|index| bound.limit(index, total)).sum();
                assert!(limits > u64::from(total), "{factor} {weights:?} {total}: {limits}");
            }
        }
        assert_eq!(bound(1.5, &[1, 1]).limit(2, 5), 0, "nobody has this index");
    }

    /// HAProxy's ring: 16 points for each unit of weight, of which the nearest one wins.
    struct Ring(Vec<(u32, usize)>);

    /// Jenkins' integer mix as HAProxy has it (`full_hash`, include/haproxy/tools.h).
    fn full_hash(mut a: u32) -> u32 {
        a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
        a = (a ^ 0xc761_c23c) ^ (a >> 19);
        a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
        a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
        a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
        a = (a ^ 0xb55a_4f09) ^ (a >> 16);
        a.wrapping_mul(3_221_225_473)
    }

    fn sdbm(text: &str) -> u32 {
        let step = |hash: u32, byte: u8| {
            (hash << 6).wrapping_add(hash << 16).wrapping_sub(hash).wrapping_add(u32::from(byte))
        };
        text.bytes().fold(0, step)
    }

    impl Ring {
        fn new(servers: usize) -> Self {
            let point = |server, j| (full_hash((server as u32 + 1) * 4096 + j), server);
            let points = (0..servers).flat_map(|server| (0..16).map(move |j| point(server, j)));
            let mut points: Vec<_> = points.collect();
            points.sort_unstable();
            Self(points)
        }

        /// Servers in the order in which they are asked, from the nearest point on.
        fn order(&self, hash: u32) -> impl Iterator<Item = usize> {
            let next = self.0.partition_point(|(point, _)| *point < hash) % self.0.len();
            let previous = (next + self.0.len() - 1) % self.0.len();
            let ahead = self.0[next].0.wrapping_sub(hash);
            let behind = hash.wrapping_sub(self.0[previous].0);
            let begin = if behind <= ahead { previous } else { next };
            self.0.iter().cycle().skip(begin).take(self.0.len()).map(|(_, server)| *server)
        }
    }

    #[test]
    fn the_smoke_value_of_the_mix() {
        assert_eq!(full_hash(4096), 0x49c2_008b);
        assert_eq!(sdbm("/u/0"), 3_297_539_271);
    }

    /// Recorded from HAProxy 2.6.12, `hash-balance-factor 150`; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_haproxy() {
        let csv = include_str!("../../../tests/vectors/haproxy_bounded_load_traces.csv");
        let (ring, bound) = (Ring::new(5), bound(1.5, &[1; 5]));
        let mut in_flight = vec![0; 5];
        for row in rows(csv) {
            let [_, step, operation, _, uri, server, after] = row[..] else { panic!("{row:?}") };
            if operation == "open" {
                let total = in_flight.iter().sum();
                let free =
                    |server: &usize| u64::from(in_flight[*server]) < bound.limit(*server as u32, total);
                let picked = ring.order(full_hash(sdbm(uri))).find(free);
                assert_eq!(picked, Some(numbers(server)[0] as usize), "step {step}, {uri}");
            }
            in_flight = numbers(after)[..5].to_vec();
        }
    }
}
