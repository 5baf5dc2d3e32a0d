//! A weighted draw without putting back.

use pointsman_policy::Random;

/// Candidates on a line, each as long as its weight.
pub(crate) struct Line {
    /// Where each ends.
    ends: Vec<u64>,
}

impl Line {
    /// The line of these weights.
    pub(crate) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let end = |sum: &mut u64, weight: u32| {
            *sum += u64::from(weight);
            Some(*sum)
        };
        Self { ends: weights.scan(0, end).collect() }
    }

    fn start(&self, index: u32) -> u64 {
        let before = (index as usize).checked_sub(1);
        before.and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    /// The weight of a candidate; 0 if it does not exist.
    pub(crate) fn weight(&self, index: u32) -> u64 {
        self.ends.get(index as usize).map_or(0, |end| end - self.start(index))
    }

    /// Draws one that is not among `gone`, which are in order. The line is drawn from as if
    /// those were cut out of it: no second try is ever needed.
    pub(crate) fn draw(&self, gone: &[u32], random: &mut Random) -> Option<u32> {
        let length = self.ends.last()? - gone.iter().map(|index| self.weight(*index)).sum::<u64>();
        if length == 0 {
            return None;
        }
        let mut point = random.below(length);
        for index in gone {
            if point >= self.start(*index) {
                point += self.weight(*index);
            }
        }
        Some(self.ends.partition_point(|end| *end <= point) as u32)
    }
}

#[cfg(test)]
mod tests {
    use pointsman_policy::Random;
    use pointsman_policy::testing::request;

    use super::Line;

    #[test]
    fn who_is_gone_is_never_drawn_and_all_others_are() {
        let line = Line::new([3, 1, 65535, 1, 2].into_iter());
        let mut random = Random::new(1, &request(1));
        for gone in [&[][..], &[0], &[4], &[2], &[0, 1, 2], &[1, 2, 3], &[0, 2, 4], &[1, 2, 3, 4]] {
            let drawn: std::collections::HashSet<u32> =
                (0..300_000).filter_map(|_| line.draw(gone, &mut random)).collect();
            assert!(
                (0..5).all(|index| drawn.contains(&index) != gone.contains(&index)),
                "{gone:?}: {drawn:?}"
            );
        }
        assert_eq!(line.draw(&[0, 1, 2, 3, 4], &mut random), None);
        assert_eq!(Line::new([].into_iter()).draw(&[], &mut random), None);
    }
}
