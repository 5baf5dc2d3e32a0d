//! What is uneven.

use std::fmt;

use clap::ValueEnum;

use super::dice::Dice;

/// How long speeds stay what they are among antagonists, and one backend browned out, seconds.
const PERIOD: f64 = 5.0;
/// By how many backends a brown-out moves on: every backend has its turn, with no relation to the speeds.
const STRIDE: u64 = 7;

/// What antagonists leave of a backend's speed: a third of the backends each.
const ANTAGONISTS: [f64; 3] = [1.0, 0.5, 0.2];

/// What befalls backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    Homogeneous,
    Heterogeneous,
    Brownout,
    Antagonists,
    Failing,
}

/// Backends and what befalls them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) scenario: Scenario,
    pub(super) backends: usize,
    /// Of each backend.
    pub(super) cores: u32,
}

impl Setup {
    /// Does this backend answer 500 at once?
    pub(super) fn fails(self, backend: usize) -> bool {
        self.scenario == Scenario::Failing && backend == self.backends / 2
    }

    /// How fast a backend works `seconds` after the run began.
    pub(super) fn speed(self, backend: usize, seconds: f64) -> f64 {
        let period = (seconds / PERIOD) as u64;
        match self.scenario {
            Scenario::Homogeneous | Scenario::Failing => 1.0,
            Scenario::Heterogeneous => [1.0, 2.0, 4.0][backend % 3],
            Scenario::Brownout => {
                let slow = period * STRIDE % self.backends as u64;
                if slow == backend as u64 { 0.1 } else { 1.0 }
            }
            Scenario::Antagonists => ANTAGONISTS[self.dealt(backend, period) % 3],
        }
    }

    /// The place of a backend in an order that is another one in each period.
    fn dealt(self, backend: usize, period: u64) -> usize {
        let lot = |backend: usize| Dice::new(period * 1_000 + backend as u64).bits();
        (0..self.backends).filter(|other| lot(*other) < lot(backend)).count()
    }

    /// When, after so many seconds, speeds may change next.
    pub(super) fn change(self, seconds: f64) -> f64 {
        match self.scenario {
            Scenario::Antagonists | Scenario::Brownout => ((seconds / PERIOD).floor() + 1.0) * PERIOD,
            _ => f64::INFINITY,
        }
    }

    /// Work that all backends together do in a second, seconds at speed 1. A brown-out is not taken off: it
    /// is what must be coped with.
    pub(super) fn capacity(self) -> f64 {
        let speed = |backend| match self.scenario {
            Scenario::Brownout => 1.0,
            _ => self.speed(backend, 0.0),
        };
        let working = (0..self.backends).filter(|backend| !self.fails(*backend));
        f64::from(self.cores) * working.map(speed).sum::<f64>()
    }
}

impl Scenario {
    /// In words, for the table.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Homogeneous => "equal backends",
            Self::Heterogeneous => "backends, a third each of speed 1, 2 and 4, weights equal",
            Self::Brownout => {
                "equal backends, always one of them at a tenth of its speed, another one every 5 s"
            }
            Self::Antagonists => "backends, a third each of speed 1, 0.5 and 0.2, dealt anew every 5 s",
            Self::Failing => "equal backends, one of which answers 500 at once",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Scenario, Setup};

    #[test]
    fn speeds_move_from_backend_to_backend_and_their_sum_stays() {
        for (scenario, sum) in [(Scenario::Brownout, 19.1), (Scenario::Antagonists, 11.7)] {
            let setup = Setup { scenario, backends: 20, cores: 1 };
            let speeds = |seconds| (0..20).map(|backend| setup.speed(backend, seconds)).collect::<Vec<_>>();
            for seconds in 0..100 {
                let seconds = f64::from(seconds);
                assert!((speeds(seconds).iter().sum::<f64>() - sum).abs() < 1e-9);
                assert_ne!(speeds(seconds), speeds(setup.change(seconds)));
            }
        }
    }
}
