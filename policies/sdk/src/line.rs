//! A weighted draw without putting back.

use crate::Random;

/// Candidates on a line, each as long as its weight: a random point belongs to one of them.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where each ends.
    ends: Vec<u64>,
    /// The length that all have; none if they differ.
    weight: Option<u64>,
}

impl Line {
    /// The line of these weights.
    #[must_use]
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let end = |sum: &mut u64, weight: u32| {
            *sum += u64::from(weight);
            Some(*sum)
        };
        let ends: Vec<u64> = weights.into_iter().scan(0, end).collect();
        let first = ends.first().copied().filter(|first| *first > 0);
        let equal = |weight: &u64| ends.windows(2).all(|pair| pair[1] - pair[0] == *weight);
        let weight = first.filter(equal);
        Self { ends, weight }
    }

    /// Draws one, whoever it is; none from an empty line.
    pub fn any(&self, random: &mut Random) -> Option<u32> {
        let length = *self.ends.last()?;
        (length > 0).then(|| self.at(random.below(length)))
    }

    fn at(&self, point: u64) -> u32 {
        match self.weight {
            Some(weight) => (point / weight) as u32,
            None => self.ends.partition_point(|end| *end <= point) as u32,
        }
    }

    fn start(&self, index: u32) -> u64 {
        let before = (index as usize).checked_sub(1);
        before.and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    /// The weight of a candidate; 0 if it does not exist.
    #[must_use]
    pub fn weight(&self, index: u32) -> u64 {
        self.ends.get(index as usize).map_or(0, |end| end - self.start(index))
    }

    /// Draws one that is not among `gone`, which are in order. The line is drawn from as if
    /// those were cut out of it: no second try is ever needed.
    pub fn draw(&self, gone: &[u32], random: &mut Random) -> Option<u32> {
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
        Some(self.at(point))
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use crate::Random;
    use crate::testing::{assert_shares, request};

    #[test]
    fn who_is_gone_is_never_drawn_and_all_others_are() {
        let line = Line::new([3, 1, 65535, 1, 2]);
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
        assert_eq!(Line::new([]).draw(&[], &mut random), None);
    }

    #[test]
    fn draws_follow_the_weights() {
        let mut random = Random::new(5, &request(3));
        for weights in [&[1, 2, 4, 8][..], &[3; 7], &[1], &[65535, 1, 65535]] {
            let line = Line::new(weights.iter().copied());
            let mut found = vec![0; weights.len()];
            for _ in 0..100_000 {
                found[line.any(&mut random).expect("a line") as usize] += 1;
            }
            assert_shares(&found, &weights.iter().map(|weight| f64::from(*weight)).collect::<Vec<_>>());
        }
        assert_eq!(Line::new([]).any(&mut random), None);
    }
}
