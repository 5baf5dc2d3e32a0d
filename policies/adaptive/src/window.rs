//! How busy candidates have been lately: a quantile over the last few that were looked at.

/// So many candidates are remembered.
const SIZE: usize = 128;
/// Loads in quarters up to this are told apart exactly, larger ones to a sixteenth.
const EXACT: u32 = 64;
/// One for each load that is told apart.
const CLASSES: usize = 480;

/// The class of a load in quarters of a request; larger loads have larger classes.
pub(crate) fn class(quarters: u32) -> u16 {
    if quarters < EXACT {
        return quarters as u16;
    }
    let octave = quarters.ilog2();
    let within = (quarters >> (octave - 4)) & 15;
    (EXACT + (octave - 6) * 16 + within) as u16
}

/// The classes of the last candidates looked at, and the quantile over them, which is moved along
/// as they come and go: noting one costs the same whatever is remembered.
pub(crate) struct Window {
    last: [u16; SIZE],
    next: usize,
    filled: usize,
    counts: [u8; CLASSES],
    /// The class up to which candidates count as cold, and how many of the last are in it or below.
    limit: usize,
    within: usize,
    quantile: f64,
}

impl Window {
    /// A window of which this share, from 0 to 1, is to count as cold.
    pub(crate) fn new(quantile: f64) -> Self {
        let (last, counts) = ([0; SIZE], [0; CLASSES]);
        Self { last, next: 0, filled: 0, counts, limit: 0, within: 0, quantile }
    }

    /// Notes the class of one candidate.
    pub(crate) fn note(&mut self, class: u16) {
        if self.filled == SIZE {
            let oldest = usize::from(self.last[self.next]);
            self.counts[oldest] -= 1;
            self.within -= usize::from(oldest <= self.limit);
        } else {
            self.filled += 1;
        }
        self.last[self.next] = class;
        self.next = (self.next + 1) % SIZE;
        let class = usize::from(class).min(CLASSES - 1);
        self.counts[class] += 1;
        self.within += usize::from(class <= self.limit);
    }

    /// The least class that has the wanted share of the last candidates in it or below.
    pub(crate) fn limit(&mut self) -> u16 {
        let wanted = ((self.quantile * self.filled as f64).ceil() as usize).clamp(1, self.filled.max(1));
        while self.within < wanted && self.limit + 1 < CLASSES {
            self.limit += 1;
            self.within += usize::from(self.counts[self.limit]);
        }
        while self.limit > 0 && self.within - usize::from(self.counts[self.limit]) >= wanted {
            self.within -= usize::from(self.counts[self.limit]);
            self.limit -= 1;
        }
        self.limit as u16
    }
}

#[cfg(test)]
mod tests {
    use pointsman_policy::Random;
    use pointsman_policy::testing::request;

    use super::{CLASSES, SIZE, Window, class};

    #[test]
    fn classes_grow_with_the_load_and_tell_a_sixteenth_apart() {
        let loads = (0..2_000u32).chain((11..32).flat_map(|octave| [(1 << octave) - 1, 1 << octave]));
        let classes: Vec<u16> = loads.map(class).collect();
        assert!(classes.is_sorted());
        assert_eq!((class(63), class(64), class(67), class(68)), (63, 64, 64, 65));
        assert_eq!(usize::from(class(u32::MAX)), CLASSES - 1);
    }

    #[test]
    fn the_limit_is_the_quantile_of_the_last_ones() {
        let mut random = Random::new(3, &request(1));
        for quantile in [0.0, 0.3, 0.6, 1.0] {
            let mut window = Window::new(quantile);
            let mut all = Vec::new();
            for step in 0..2_000u64 {
                let one = class(random.below(4 + step) as u32);
                window.note(one);
                all.push(one);
                let mut last = all[all.len().saturating_sub(SIZE)..].to_vec();
                last.sort_unstable();
                let place = (quantile * last.len() as f64).ceil() as usize;
                assert_eq!(window.limit(), last[place.max(1) - 1], "{quantile}, step {step}");
            }
        }
    }
}
