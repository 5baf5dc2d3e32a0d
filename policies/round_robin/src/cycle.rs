//! A smooth round robin that knows its order by heart.

use pointsman_policy::Smooth;

/// The steps (candidates x length of the order) that are worth walking at birth: about 2 ms.
const STEPS_MAX: usize = 1 << 20;

/// Replays laps of picks. A lap that ends with the credits it began with must be followed by
/// the same picks again, so the order need not be computed twice.
pub(crate) struct Cycle {
    /// The credits now; while a lap is replayed, those where it begins.
    smooth: Smooth,
    /// The credits where the lap began.
    start: Smooth,
    /// The picks of the lap, as far as they are known.
    lap: Vec<u32>,
    /// Picks in a lap: the sum of the weights, divided by what they have in common. 0 if that is
    /// too long to be learnt.
    length: usize,
    /// How many picks of the lap were replayed; none while it is being learnt.
    replayed: Option<usize>,
}

impl Cycle {
    /// Learns the first lap, unless it is too long.
    pub(crate) fn new(weights: &[u32]) -> Self {
        let smooth = Smooth::new(weights.iter().copied());
        let divisor = weights.iter().copied().fold(0, common_divisor).max(1);
        let length = weights.iter().map(|weight| (weight / divisor) as usize).sum::<usize>();
        let mut cycle = Self { start: smooth.clone(), smooth, lap: Vec::new(), length: 0, replayed: None };
        if length == weights.len() {
            // Equal weights take turns: nothing to walk.
            cycle.lap = (0..length as u32).collect();
            (cycle.length, cycle.replayed) = (length, Some(0));
        } else if length.saturating_mul(weights.len()) <= STEPS_MAX {
            cycle.length = length;
            cycle.skip(length);
        }
        cycle
    }

    /// Places to begin at: all there are, or as many as may be walked to.
    pub(crate) fn places(&self) -> usize {
        let walkable = STEPS_MAX / self.smooth.len().max(1);
        if self.length > 0 { self.length } else { walkable.max(1) }
    }

    /// Lets `count` picks pass.
    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }

    /// The next in turn; none if there is nobody.
    pub(crate) fn next(&mut self) -> Option<u32> {
        let Some(replayed) = &mut self.replayed else {
            return self.learn();
        };
        let next = self.lap.get(*replayed).copied();
        *replayed = if *replayed + 1 < self.length { *replayed + 1 } else { 0 };
        next
    }

    /// The next in turn among those not tried. Only these gain and pay, so from here on the
    /// order is another one; it has to be learnt while it is walked.
    pub(crate) fn next_but(&mut self, tried: &[u32]) -> Option<u32> {
        if let Some(replayed) = self.replayed.take() {
            self.smooth.advance(&self.lap[..replayed]);
        }
        let next = self.smooth.step(|index| !tried.contains(&(index as u32)));
        self.begin_lap();
        next.map(|index| index as u32)
    }

    fn learn(&mut self) -> Option<u32> {
        let next = self.smooth.step(|_| true)? as u32;
        if self.length > 0 {
            self.lap.push(next);
            if self.lap.len() == self.length {
                self.end_lap();
            }
        }
        Some(next)
    }

    fn end_lap(&mut self) {
        if self.smooth == self.start {
            self.replayed = Some(0);
        } else {
            self.begin_lap();
        }
    }

    fn begin_lap(&mut self) {
        self.lap.clear();
        self.start.clone_from(&self.smooth);
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{Cycle, Smooth};

    /// Candidates tried before a pick; mostly none.
    type Tried = &'static [u32];

    /// That a cycle picks what plain smooth round robin picks, step by step.
    fn agrees(weights: &[u32], disturbed: impl Fn(usize) -> Tried, picks: usize) -> Cycle {
        let (mut cycle, mut plain) = (Cycle::new(weights), Smooth::new(weights.iter().copied()));
        for pick in 0..picks {
            let tried = disturbed(pick);
            let expected = plain.step(|index| !tried.contains(&(index as u32)));
            let got = if tried.is_empty() { cycle.next() } else { cycle.next_but(tried) };
            assert_eq!(got.map(|index| index as usize), expected, "{weights:?}, pick {pick}");
        }
        cycle
    }

    #[test]
    fn replays_what_smooth_round_robin_would_pick() {
        for weights in [&[1][..], &[7], &[5, 1, 1], &[4, 3, 2, 1], &[65535, 2], &[10, 20, 30]] {
            let cycle = agrees(weights, |_| &[], 200_000);
            assert!(cycle.replayed.is_some(), "{weights:?} is replayed");
        }
    }

    #[test]
    fn equal_weights_take_turns() {
        for count in 1..40 {
            agrees(&vec![count; count as usize], |_| &[], 200);
        }
    }

    #[test]
    fn a_retry_changes_the_order_as_in_nginx_and_the_new_order_is_learnt() {
        let retries: fn(usize) -> Tried = |pick| match pick {
            4 => &[0],
            5 => &[0, 2],
            23 => &[1],
            _ => &[],
        };
        for weights in [&[1, 1, 1][..], &[5, 1, 1], &[4, 3, 2, 1]] {
            let cycle = agrees(weights, retries, 300);
            assert!(cycle.replayed.is_some(), "{weights:?} is replayed again");
        }
    }

    #[test]
    fn a_lap_too_long_is_walked_each_time() {
        let weights: Vec<u32> = (1..=500).collect();
        assert_eq!(agrees(&weights, |_| &[], 2_000).length, 0);
    }
}
