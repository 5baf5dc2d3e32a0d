//! Candidates that joined lately get their share little by little.

use pointsman_policy::{Random, stats};

/// Who joined no later than this after the eldest was there from the start, microseconds.
const START: u64 = 2_000_000;
/// Share of the picks in which a newcomer is looked at, at least.
const LEAST: f64 = 0.1;

/// The newcomers among the candidates. Without any, which is nearly always, it costs one look.
pub(crate) struct Joining {
    /// Candidates and when they joined.
    newcomers: Vec<(u32, u64)>,
    /// How long one is a newcomer, microseconds.
    span: u64,
}

impl Joining {
    /// Asks when each of `count` candidates joined.
    pub(crate) fn new(count: u32, span: u64) -> Self {
        if span == 0 {
            return Self { newcomers: Vec::new(), span };
        }
        let since: Vec<u64> = (0..count).map(|index| stats::detail_of(index).known_since).collect();
        let eldest = since.iter().copied().min().unwrap_or(0);
        let joined = (0u32..).zip(since).filter(|(_, since)| since - eldest > START);
        Self { newcomers: joined.collect(), span }
    }

    /// Forgets those that have been here for long enough; are there any left?
    pub(crate) fn any(&mut self, now: u64) -> bool {
        if !self.newcomers.is_empty() {
            let span = self.span;
            self.newcomers.retain(|(_, since)| now.saturating_sub(*since) < span);
        }
        !self.newcomers.is_empty()
    }

    /// Whether a candidate is looked at this time.
    pub(crate) fn admits(&self, index: u32, now: u64, random: &mut Random) -> bool {
        let Some((_, since)) = self.newcomers.iter().find(|(newcomer, _)| *newcomer == index) else {
            return true;
        };
        let share = now.saturating_sub(*since) as f64 / self.span as f64;
        (random.below(1 << 32) as f64) < share.max(LEAST) * (1u64 << 32) as f64
    }
}

#[cfg(test)]
mod tests {
    use pointsman_policy::Random;
    use pointsman_policy::stats::Detail;
    use pointsman_policy::testing::{detail, gateway, request};

    use super::Joining;

    const SECOND: u64 = 1_000_000;

    fn since(all: &[u64]) {
        let known = |since: &u64| Detail { known_since: *since, ..detail() };
        gateway(|gateway| gateway.details = all.iter().map(known).collect());
    }

    #[test]
    fn at_the_start_nobody_is_new() {
        since(&[SECOND, SECOND + 10, 2 * SECOND]);
        assert!(!Joining::new(3, 10 * SECOND).any(2 * SECOND));
    }

    #[test]
    fn a_newcomer_is_looked_at_more_and_more_often() {
        since(&[1, 60 * SECOND]);
        let mut joining = Joining::new(2, 10 * SECOND);
        let mut random = Random::new(1, &request(1));
        for (age, expected) in [(0, 0.1), (2, 0.2), (5, 0.5), (9, 0.9)] {
            let now = (60 + age) * SECOND;
            assert!(joining.any(now));
            let admitted = (0..10_000).filter(|_| joining.admits(1, now, &mut random)).count();
            assert!((admitted as f64 / 10_000.0 - expected).abs() < 0.02, "{age}: {admitted}");
            assert!(joining.admits(0, now, &mut random));
        }
        assert!(!joining.any(70 * SECOND), "not new any more");
        assert!(joining.admits(1, 70 * SECOND, &mut random));
    }

    #[test]
    fn it_can_be_switched_off() {
        since(&[1, 60 * SECOND]);
        assert!(!Joining::new(2, 0).any(60 * SECOND));
    }
}
