//! How much work a request is.

use serde::Deserialize;

use super::dice::Dice;
use super::span::Span;

/// The work of requests: how long one takes alone on a core of speed 1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    /// Its distribution.
    #[serde(default)]
    pub(super) law: Law,
    /// Its mean.
    #[serde(default = "twenty_millis")]
    pub(super) mean: Span,
    /// `lognormal`: deviation of the logarithm. 1 is a usual web service, 2 is heavy.
    #[serde(default = "one")]
    pub(super) sigma: f64,
    /// `two`: this share of the requests...
    #[serde(default = "tenth")]
    pub(super) share: f64,
    /// ...is so many times the work of the others.
    #[serde(default = "ten")]
    pub(super) factor: f64,
}

/// Distributions, all scaled to the mean that the scenario names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Law {
    /// All alike.
    Fixed,
    /// Between 0 and twice the mean.
    Uniform,
    /// What queueing theory assumes.
    #[default]
    Exponential,
    /// Normal with a deviation as large as its mean, cut at 0: the workload of the Prequal paper
    /// (NSDI 2024, section 5).
    Normal,
    /// Many small ones, a few enormous ones.
    Lognormal,
    /// Two kinds of requests.
    Two,
    /// As long as the log or recording says that it took.
    Logged,
}

/// Mean of a normal distribution with mean and deviation 1 after what lies below 0 was cut off:
/// 1 + pdf(1) / cdf(1).
const CUT_NORMAL: f64 = 1.287_6;

fn twenty_millis() -> Span {
    Span::millis(20)
}

fn one() -> f64 {
    1.0
}

fn tenth() -> f64 {
    0.1
}

fn ten() -> f64 {
    10.0
}

impl Default for Work {
    fn default() -> Self {
        Self { law: Law::default(), mean: twenty_millis(), sigma: one(), share: tenth(), factor: ten() }
    }
}

impl Work {
    /// The work of one request, seconds.
    pub(super) fn draw(&self, dice: &mut Dice) -> f64 {
        self.mean.seconds() * self.relative(dice)
    }

    fn relative(&self, dice: &mut Dice) -> f64 {
        match self.law {
            Law::Fixed | Law::Logged => 1.0,
            Law::Uniform => 2.0 * dice.unit(),
            Law::Exponential => dice.exponential(),
            Law::Normal => loop {
                let drawn = 1.0 + dice.normal();
                if drawn >= 0.0 {
                    return drawn / CUT_NORMAL;
                }
            },
            Law::Lognormal => (self.sigma * dice.normal() - self.sigma * self.sigma / 2.0).exp(),
            Law::Two => {
                let small = 1.0 / (1.0 - self.share + self.share * self.factor);
                if dice.unit() < self.share { small * self.factor } else { small }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_law_has_the_mean_that_was_asked_for() {
        use Law::{Exponential, Fixed, Lognormal, Normal, Two, Uniform};
        for law in [Fixed, Uniform, Exponential, Normal, Lognormal, Two] {
            let (work, mut dice) = (Work { law, ..Work::default() }, Dice::new(3, "work"));
            let mean = (0..300_000).map(|_| work.draw(&mut dice)).sum::<f64>() / 300_000.0;
            assert!((mean / 0.020 - 1.0).abs() < 0.02, "{law:?}: {mean}");
        }
    }
}
