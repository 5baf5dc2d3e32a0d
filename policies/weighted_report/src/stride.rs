//! Turns in proportion to weights, without a heap: gRPC's static stride scheduler.

/// The heaviest one is scaled to this, and passes in each round.
const HEAVIEST: u64 = 65_535;
/// After so many rounds only light ones can be fit: the heaviest of them is taken.
const ROUNDS_MAX: u64 = 8;

/// Numbers in turn: a sequence goes over the backends again and again, and each passes in as many
/// of the rounds as its weight says, spread evenly
/// (grpc-go, `balancer/weightedroundrobin/scheduler.go`).
#[derive(Clone, Debug)]
pub(crate) struct Stride {
    weights: Vec<u64>,
    sequence: u64,
}

impl Stride {
    /// Begins at `sequence`. A weight of 0 means that it is not known: those get the mean of the
    /// others. When nobody's is known, or only one's, all are equal.
    pub(crate) fn new(weights: &[f64], sequence: u64) -> Self {
        let known = weights.iter().filter(|weight| **weight > 0.0);
        let (count, sum) = known.clone().fold((0u32, 0.0), |(count, sum), weight| (count + 1, sum + weight));
        let heaviest = known.fold(0.0f64, |most, weight| most.max(*weight));
        let scale = HEAVIEST as f64 / heaviest;
        let mean = (sum / f64::from(count) * scale).round() as u64;
        let scaled =
            |weight: &f64| if *weight > 0.0 { ((weight * scale).round() as u64).max(1) } else { mean };
        let weights =
            if count < 2 { vec![HEAVIEST; weights.len()] } else { weights.iter().map(scaled).collect() };
        Self { weights, sequence }
    }

    /// The next one in turn that is `fit`; none when nobody is.
    pub(crate) fn next(&mut self, fit: impl Fn(u32) -> bool) -> Option<u32> {
        let count = self.weights.len() as u64;
        for _ in 0..ROUNDS_MAX * count {
            let (index, round) = (self.sequence % count, self.sequence / count);
            self.sequence = (self.sequence + 1) % (count << 32);
            let weight = self.weights[index as usize];
            // Each second one begins half a turn later, so that not all pass in the same round.
            let turn = (weight * round + index * (HEAVIEST / 2)) % HEAVIEST;
            if turn >= HEAVIEST - weight && fit(index as u32) {
                return Some(index as u32);
            }
        }
        (0..count as u32).filter(|index| fit(*index)).max_by_key(|index| self.weights[*index as usize])
    }

    /// Where the sequence stands, to go on with other weights.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::Stride;

    fn turns(weights: &[f64], count: usize) -> Vec<u32> {
        let mut stride = Stride::new(weights, 0);
        (0..count).filter_map(|_| stride.next(|_| true)).collect()
    }

    #[test]
    fn the_order_is_that_of_grpc() {
        assert_eq!(turns(&[5.0, 1.0, 1.0], 9), [0, 2, 0, 0, 1, 0, 0, 0, 2]);
    }

    #[test]
    fn turns_follow_the_weights() {
        let turns = turns(&[1.0, 2.5, 0.5, 6.0], 10_000);
        let count = |index| turns.iter().filter(|turn| **turn == index).count();
        for (index, expected) in [(0, 1_000usize), (1, 2_500), (2, 500), (3, 6_000)] {
            assert!(count(index).abs_diff(expected) <= 2, "{index}: {}", count(index));
        }
    }

    #[test]
    fn who_is_not_known_counts_as_the_mean() {
        let turns = turns(&[1.0, 0.0, 3.0], 6_000);
        let count = |index| turns.iter().filter(|turn| **turn == index).count();
        assert!(count(1).abs_diff(2_000) <= 2, "{}", count(1));
        assert!(count(0).abs_diff(1_000) <= 2, "{}", count(0));
    }

    #[test]
    fn when_hardly_anybody_is_known_all_are_equal() {
        assert_eq!(turns(&[0.0, 0.0], 4), [0, 1, 0, 1]);
        assert_eq!(turns(&[0.0, 7.0, 0.0], 6), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn who_is_not_fit_is_passed_over() {
        let mut stride = Stride::new(&[1e9, 1.0], 0);
        assert_eq!(stride.next(|index| index == 1), Some(1), "however light");
        assert_eq!(stride.next(|_| false), None);
    }
}
