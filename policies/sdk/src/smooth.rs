//! nginx's smooth weighted round robin (`src/http/ngx_http_upstream_round_robin.c`, Maxim Dounin
//! 2012): several of its methods stand on it.

/// Credits from which the order of a weighted round robin follows, spread out evenly: weights
/// 5, 1, 1 give a a b a c a a.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smooth {
    weights: Vec<u32>,
    credits: Vec<i64>,
}

impl Smooth {
    /// Starts with no credit, as nginx does.
    #[must_use]
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let weights: Vec<u32> = weights.into_iter().collect();
        let credits = vec![0; weights.len()];
        Self { weights, credits }
    }

    /// How many there are to choose from.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "an instance always has candidates")]
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// One step over those that are `fit`: each gains its weight, the richest (the first of
    /// them) is chosen and pays what all gained. None if nobody is fit.
    pub fn step(&mut self, fit: impl Fn(usize) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, (weight, credit)) in self.weights.iter().zip(&mut self.credits).enumerate() {
            if !fit(index) {
                continue;
            }
            *credit += i64::from(*weight);
            total += i64::from(*weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        self.credits[index] -= total;
        Some(index)
    }

    /// One step over these only, which are in ascending order and exist.
    pub fn step_among(&mut self, fit: &[u32]) -> Option<u32> {
        let mut total = 0;
        let mut best: Option<(u32, i64)> = None;
        for index in fit {
            let place = *index as usize;
            let weight = i64::from(self.weights[place]);
            let credit = self.credits[place] + weight;
            self.credits[place] = credit;
            total += weight;
            if best.is_none_or(|(_, most)| credit > most) {
                best = Some((*index, credit));
            }
        }
        let (index, _) = best?;
        self.credits[index as usize] -= total;
        Some(index)
    }

    /// As if these had been chosen by as many steps over all, in whatever order.
    pub fn advance(&mut self, chosen: &[u32]) {
        let steps = chosen.len() as i64;
        let total: i64 = self.weights.iter().map(|weight| i64::from(*weight)).sum();
        for (weight, credit) in self.weights.iter().zip(&mut self.credits) {
            *credit += i64::from(*weight) * steps;
        }
        for index in chosen {
            self.credits[*index as usize] -= total;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Smooth;

    fn picks(weights: &[u32], count: usize) -> Vec<usize> {
        let mut smooth = Smooth::new(weights.iter().copied());
        (0..count).filter_map(|_| smooth.step(|_| true)).collect()
    }

    #[test]
    fn spreads_the_heavy_one() {
        assert_eq!(picks(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(picks(&[4, 3, 2, 1], 10), [0, 1, 2, 0, 1, 3, 0, 2, 1, 0]);
        assert_eq!(picks(&[2, 2, 5], 9), [2, 0, 1, 2, 2, 0, 2, 1, 2]);
    }

    #[test]
    fn comes_back_to_its_start_after_the_sum_of_weights() {
        let mut smooth = Smooth::new([65535, 1, 300]);
        let start = smooth.clone();
        for _ in 0..65535 + 1 + 300 {
            smooth.step(|_| true);
        }
        assert_eq!(smooth, start);
    }

    #[test]
    fn advances_to_where_the_steps_lead() {
        let mut walked = Smooth::new([4, 3, 2, 1]);
        let mut advanced = walked.clone();
        let chosen: Vec<u32> =
            (0..7).filter_map(|_| walked.step(|_| true)).map(|index| index as u32).collect();
        advanced.advance(&chosen);
        assert_eq!(advanced, walked);
    }

    #[test]
    fn a_step_among_some_is_a_step_over_those_fit() {
        let (mut some, mut fit) = (Smooth::new([4, 3, 2, 1]), Smooth::new([4, 3, 2, 1]));
        for among in [&[0, 1, 2, 3][..], &[1, 3], &[2], &[0, 2, 3], &[0, 1, 2, 3], &[]] {
            let expected = fit.step(|index| among.contains(&(index as u32)));
            assert_eq!(some.step_among(among).map(|index| index as usize), expected);
            assert_eq!(some, fit);
        }
    }

    #[test]
    fn passes_over_who_is_not_fit() {
        let mut smooth = Smooth::new([5, 1, 1]);
        assert_eq!(smooth.step(|index| index != 0), Some(1));
        assert_eq!(smooth.step(|_| false), None);
        assert_eq!(Smooth::new([]).step(|_| true), None);
    }
}
