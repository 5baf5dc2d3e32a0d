//! What a scenario says.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::group::Group;
use super::law::{Law, Work};
use super::span::Span;

/// A fleet, what is asked of it, and what befalls it. Written in TOML; the reference is
/// `docs/simulator.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it goes by: the name of its file without the ending.
    #[serde(skip)]
    pub name: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Requests of one run.
    #[serde(default = "two_hundred_thousand")]
    pub requests: u64,
    /// Gateways, each of which sees only its own traffic.
    #[serde(default = "one")]
    pub(super) gateways: usize,
    /// Workers of each gateway: instances of the policy that share statistics.
    #[serde(default = "one")]
    pub(super) workers: usize,
    /// Time from a gateway to a backend, one way.
    #[serde(default = "quarter_milli")]
    pub(super) network: Span,
    /// How long a gateway waits for an answer.
    #[serde(default = "five_seconds")]
    pub(super) timeout: Span,
    /// Attempts for one request at most; 0: one for each backend.
    #[serde(default = "one_try")]
    pub(super) tries: u32,
    /// Share of the requests that is served before counting begins.
    #[serde(default = "twentieth")]
    pub(super) warm_up: f64,
    pub(super) arrivals: Arriving,
    #[serde(default)]
    pub(super) keys: Keys,
    #[serde(default)]
    pub(super) work: Work,
    #[serde(rename = "backend")]
    pub(super) groups: Vec<Group>,
}

/// When requests arrive: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arriving {
    /// At random (Poisson), as many as keep this share of all backends busy.
    pub(super) load: Option<f64>,
    /// At random, so many a second.
    pub(super) rate: Option<f64>,
    /// From so many clients, each of which waits for its answer...
    pub(super) clients: Option<usize>,
    /// ...and then thinks for as long as this, on average.
    #[serde(default)]
    pub(super) think: Span,
    /// As in this access log or recording; relative to the scenario.
    pub(super) file: Option<PathBuf>,
}

/// What requests are about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    /// How many different ones there are.
    #[serde(default = "ten_thousand")]
    pub(super) number: usize,
    /// Exponent of their popularity: 0 makes all alike, 1 is Zipf's law.
    #[serde(default)]
    pub(super) zipf: f64,
}

impl Scenario {
    /// Reads a scenario from the text of its file.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut scenario: Self = toml::from_str(text)
            .map_err(|error| format!("scenario `{name}`: {}", error.to_string().trim_end()))?;
        name.clone_into(&mut scenario.name);
        match scenario.problem() {
            Some(problem) => Err(format!("scenario `{name}`: {problem}")),
            None => Ok(scenario),
        }
    }

    /// What cannot be simulated.
    fn problem(&self) -> Option<String> {
        let Arriving { load, rate, clients, file, .. } = &self.arrivals;
        let ways = [load.is_some(), rate.is_some(), clients.is_some(), file.is_some()];
        if ways.iter().filter(|way| **way).count() != 1 {
            return Some("`[arrivals]` needs exactly one of `load`, `rate`, `clients` and `file`".into());
        }
        let positive = |what: &str, value: f64| {
            (!(value.is_finite() && value > 0.0))
                .then(|| format!("`{what}` must be more than 0, not {value}"))
        };
        let counts = [
            ("requests", self.requests),
            ("gateways", self.gateways as u64),
            ("workers", self.workers as u64),
            ("arrivals.clients", clients.unwrap_or(1) as u64),
            ("keys.number", self.keys.number as u64),
        ];
        if let Some((what, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("`{what}` must be at least 1"));
        }
        if !(0.0..1.0).contains(&self.warm_up) {
            return Some(format!("`warm_up` is a share from 0 to below 1, not {}", self.warm_up));
        }
        if self.work.law == Law::Logged && file.is_none() {
            return Some("`work.law = \"logged\"` needs `arrivals.file`".into());
        }
        positive("arrivals.load", load.unwrap_or(1.0))
            .or_else(|| positive("arrivals.rate", rate.unwrap_or(1.0)))
            .or_else(|| positive("work.mean", self.work.mean.seconds()))
            .or_else(|| positive("timeout", self.timeout.seconds()))
            .or_else(|| self.groups.is_empty().then(|| "it has no `[[backend]]`".into()))
            .or_else(|| {
                self.groups.iter().enumerate().find_map(|(index, group)| {
                    group.problem().map(|problem| format!("`[[backend]]` number {}: {problem}", index + 1))
                })
            })
    }

    /// Work that all backends together do in a second, with those whose speed jumps at their mean.
    pub(super) fn capacity(&self) -> f64 {
        let of = |group: &Group| {
            let mean = |speeds: &Vec<f64>| speeds.iter().sum::<f64>() / speeds.len() as f64;
            let jumping = group.jumps.as_ref().map_or(1.0, |jumps| mean(&jumps.speeds));
            group.number as f64 * f64::from(group.cores) * group.speed * jumping
        };
        self.groups.iter().map(of).sum()
    }

    /// The access log or recording that says what arrives, as the scenario names it.
    #[must_use]
    pub fn arrivals_file(&self) -> Option<&Path> {
        self.arrivals.file.as_deref()
    }

    /// Cores of each backend.
    pub(super) fn cores(&self) -> impl Iterator<Item = f64> {
        self.groups.iter().flat_map(|group| std::iter::repeat_n(f64::from(group.cores), group.number))
    }

    /// Requests a second that come, or that may be expected of a closed loop.
    pub(super) fn rate(&self) -> f64 {
        let most = self.capacity() / self.work.mean.seconds();
        match (self.arrivals.rate, self.arrivals.load, self.arrivals.clients) {
            (Some(rate), ..) => rate,
            (_, Some(load), _) => load * most,
            (.., Some(clients)) => {
                let round =
                    self.arrivals.think.seconds() + self.work.mean.seconds() + 2.0 * self.network.seconds();
                (clients as f64 / round).min(most)
            }
            _ => most,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self { number: ten_thousand(), zipf: 0.0 }
    }
}

fn two_hundred_thousand() -> u64 {
    200_000
}

fn ten_thousand() -> usize {
    10_000
}

fn one() -> usize {
    1
}

fn one_try() -> u32 {
    1
}

fn twentieth() -> f64 {
    0.05
}

fn quarter_milli() -> Span {
    Span(250_000)
}

fn five_seconds() -> Span {
    Span::millis(5_000)
}

#[cfg(test)]
mod tests {
    use super::Scenario;

    #[test]
    fn fuzz_scenario() {
        let words = [
            "[arrivals]\n",
            "[[backend]]\n",
            "[keys]\n",
            "[work]\n",
            "load = ",
            "rate = ",
            "clients = ",
            "number = ",
            "speed = ",
            "inf",
            "nan",
            "-1",
            "0",
            "1e308",
            "\"20ms\"",
            "\n",
        ];
        crate::fuzz::fuzz_times(3_000, "scenario", &words, |input| {
            match Scenario::parse("fuzzed", &String::from_utf8_lossy(input)) {
                Ok(scenario) => assert!(scenario.capacity() > 0.0 && scenario.rate() > 0.0, "{scenario:?}"),
                Err(why) => assert!(why.starts_with("scenario `fuzzed`: "), "{why}"),
            }
        });
    }
}
