//! What is uneven.

use std::fmt;

use clap::ValueEnum;

use super::dice::Dice;

/// How many backends there are.
const BACKENDS: usize = 20;
/// Which is the one that fails, where one does.
const FAILING: usize = 7;
/// How long speeds stay what they are among antagonists, and one backend browned out, seconds.
const PERIOD: f64 = 5.0;
/// By how many backends a brown-out moves on: every backend has its turn, with no relation to the speeds.
const STRIDE: u64 = 7;

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
        BACKENDS
    }

    /// Does this backend answer 500 at once?
    pub(super) fn fails(self, backend: usize) -> bool {
        self == Self::Failing && backend == FAILING
    }

    /// How fast a backend works `seconds` after the run began.
    pub(super) fn speed(self, backend: usize, seconds: f64) -> f64 {
        match self {
            Self::Homogeneous | Self::Failing => 1.0,
            Self::Heterogeneous => [1.0, 2.0, 4.0][backend % 3],
            Self::Brownout => {
                let slow = (seconds / PERIOD) as u64 * STRIDE % BACKENDS as u64;
                if slow == backend as u64 { 0.1 } else { 1.0 }
            }
            Self::Antagonists => {
                let period = (seconds / PERIOD) as u64;
                [1.0, 0.5, 0.2][(Dice::new(period * 1_000 + backend as u64).bits() % 3) as usize]
            }
        }
    }

    /// When, after so many seconds, speeds may change next.
    pub(super) fn change(self, seconds: f64) -> f64 {
        match self {
            Self::Antagonists | Self::Brownout => ((seconds / PERIOD).floor() + 1.0) * PERIOD,
            _ => f64::INFINITY,
        }
    }

    /// Work that all backends together do in a second if each has one core, in the mean over the run: seconds
    /// at speed 1.
    /// A brown-out is not taken off: it is what must be coped with.
    pub(super) fn capacity(self) -> f64 {
        let speed = |backend| match self {
            Self::Antagonists => 1.7 / 3.0,
            Self::Brownout => 1.0,
            _ => self.speed(backend, 0.0),
        };
        let working = (0..self.backends()).filter(|backend| !self.fails(*backend));
        working.map(speed).sum()
    }

    /// In words, for the table.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Homogeneous => "equal backends",
            Self::Heterogeneous => "backends: 7 of speed 1, 7 of speed 2, 6 of speed 4; weights equal",
            Self::Brownout => {
                "equal backends, always one of them at a tenth of its speed, another one every 5 s"
            }
            Self::Antagonists => "backends whose speeds change to 1, 0.5 or 0.2 every 5 s",
            Self::Failing => "equal backends, one of which answers 500 at once",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}
