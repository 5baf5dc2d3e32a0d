//! What is uneven.

use std::fmt;

use clap::ValueEnum;

use super::dice::Dice;

/// Mean work of a request, seconds at speed 1: long enough for what the machine adds not to count.
pub(super) const WORK: f64 = 0.040;
/// Requests that a backend works on at once; the others wait in turn.
pub(super) const SLOTS: usize = 2;
/// How long an antagonist stays, seconds.
const PERIOD: f64 = 2.0;
/// When the brown-out begins, and for how long it lasts, in shares of the run.
const BROWNOUT: (f64, f64) = (0.35, 0.35);

/// A fleet and what befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    Homogeneous,
    Heterogeneous,
    Brownout,
    Antagonists,
    Failing,
}

impl Scenario {
    /// How many backends.
    pub(super) fn backends(self) -> usize {
        if self == Self::Failing { 20 } else { 12 }
    }

    /// Does this backend answer 500 at once?
    pub(super) fn fails(self, backend: usize) -> bool {
        self == Self::Failing && backend == 7
    }

    /// How fast a backend works after this share of the run, `seconds` since its begin.
    pub(super) fn speed(self, backend: usize, share: f64, seconds: f64) -> f64 {
        match self {
            Self::Homogeneous | Self::Failing => 1.0,
            Self::Heterogeneous => [1.0, 2.0, 4.0][backend % 3],
            Self::Brownout if backend == 5 && (BROWNOUT.0..BROWNOUT.0 + BROWNOUT.1).contains(&share) => 0.1,
            Self::Brownout => 1.0,
            Self::Antagonists => {
                let period = (seconds / PERIOD) as u64;
                [1.0, 0.5, 0.2][(Dice::new(period * 1_000 + backend as u64).bits() % 3) as usize]
            }
        }
    }

    /// Requests a second that all backends together can serve, in the mean over the run (a
    /// brown-out is not taken off: it is what must be coped with).
    pub(super) fn capacity(self) -> f64 {
        let speed = match self {
            Self::Heterogeneous => 7.0 / 3.0,
            Self::Antagonists => 1.7 / 3.0,
            _ => 1.0,
        };
        let working = (0..self.backends()).filter(|backend| !self.fails(*backend)).count();
        working as f64 * SLOTS as f64 * speed / WORK
    }

    /// In words, for the table.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Homogeneous => "12 equal backends",
            Self::Heterogeneous => "12 backends, 4 each of speed 1, 2 and 4, weights equal",
            Self::Brownout => "12 equal backends, one at a tenth of its speed for a third of the time",
            Self::Antagonists => "12 backends whose speed changes to 1, 0.5 or 0.2 every 2 s",
            Self::Failing => "20 equal backends, one of which answers 500 at once",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}
