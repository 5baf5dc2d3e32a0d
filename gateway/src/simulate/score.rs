//! What is counted of a run, and what it comes to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::Value;

use super::world::Contestant;
use crate::policy::Totals;

/// Points of the curve of latencies: shares of the requests that were at most so slow.
const CURVE: [f64; 17] = [
    0.0, 0.10, 0.25, 0.50, 0.75, 0.80, 0.90, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.999_75,
    0.9999, 1.0,
];
/// The longest latency that can be counted, microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Served,
    ServerError,
    Refused,
    Broken,
    TimedOut,
    /// The policy refused it.
    Rejected,
    /// There was nobody to try.
    NoBackend,
}

impl End {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Served, "served"),
        (Self::ServerError, "server_error"),
        (Self::Refused, "connect_failed"),
        (Self::Broken, "broken"),
        (Self::TimedOut, "timed_out"),
        (Self::Rejected, "rejected"),
        (Self::NoBackend, "no_backend"),
    ];
}

/// Counters of one run.
#[derive(Debug)]
pub(super) struct Score {
    /// Microseconds; none would mean that the bounds are impossible, which a test excludes.
    latencies: Option<Histogram<u64>>,
    ends: [u64; End::ALL.len()],
    attempts: Vec<u64>,
    retries: u64,
    /// Where each key went last.
    places: HashMap<u64, u32>,
    returned: u64,
    moved: u64,
}

impl Default for Score {
    fn default() -> Self {
        Self {
            latencies: Histogram::new_with_bounds(1, LONGEST, 3).ok(),
            ends: Default::default(),
            attempts: Vec::new(),
            retries: 0,
            places: HashMap::new(),
            returned: 0,
            moved: 0,
        }
    }
}

impl Score {
    /// A policy has chosen a backend, for the first attempt of a request or for a later one.
    pub(super) fn choose(&mut self, key: u64, server: usize, first: bool) {
        if self.attempts.len() <= server {
            self.attempts.resize(server + 1, 0);
        }
        self.attempts[server] += 1;
        if !first {
            self.retries += 1;
            return;
        }
        if let Some(before) = self.places.insert(key, server as u32) {
            self.returned += 1;
            self.moved += u64::from(before as usize != server);
        }
    }

    /// A request has ended after so many nanoseconds.
    pub(super) fn end(&mut self, end: End, took: u64) {
        self.ends[end as usize] += 1;
        if matches!(end, End::Served | End::TimedOut) {
            let latencies = self.latencies.as_mut();
            latencies.into_iter().for_each(|latencies| latencies.saturating_record((took / 1_000).max(1)));
        }
    }

    fn percentile(&self, share: f64) -> f64 {
        self.latencies.as_ref().map_or(0.0, |latencies| latencies.value_at_quantile(share) as f64 / 1e3)
    }
}

/// What came of one policy. The same for the same seed, but for what is not serialised.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What the policy is called.
    pub policy: String,
    /// The version of its file.
    pub version: String,
    /// Its options.
    pub options: Value,
    /// Requests that were counted.
    pub requests: u64,
    /// Simulated seconds.
    pub seconds: f64,
    /// Latencies in milliseconds, of requests that were answered without failure or ran into the
    /// timeout.
    pub mean_ms: f64,
    /// Half of the requests were faster.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 99 of a hundred.
    pub p99_ms: f64,
    /// 999 of a thousand.
    pub p999_ms: f64,
    /// Share of the requests that were not served.
    pub errors: f64,
    /// How requests ended.
    pub ends: BTreeMap<&'static str, u64>,
    /// Utilisation of the busiest backend relative to the mean: 1 is perfect.
    pub imbalance: f64,
    /// Share of the requests whose key went to another backend than the time before.
    pub moved: f64,
    /// Attempts beyond the first of each request.
    pub retries: u64,
    /// Faults of the policy.
    pub faults: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<String>,
    /// Choices that the gateway's own fallback made.
    pub fallbacks: u64,
    /// Each backend.
    pub backends: Vec<Share>,
    /// Share of requests, and the latency in milliseconds that they did not exceed.
    pub curve: Vec<(f64, f64)>,
    /// Mean time of a pick on this machine, nanoseconds.
    #[serde(skip)]
    pub pick_nanos: u64,
    /// How long the run took on this machine.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// What came of one backend.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: u32,
    /// Attempts that it was chosen for.
    pub attempts: u64,
    /// Share of its cores' time in use.
    pub utilisation: f64,
}

/// Several policies under one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// What it is for.
    pub about: String,
    /// The seed of chance.
    pub seed: u64,
    /// What came of each policy, in the order in which they were named.
    pub outcomes: Vec<Outcome>,
}

impl Outcome {
    /// Sums up a run. `busy`: name, weight and utilisation of each backend; `totals`: picks,
    /// faults and the last fault of each gateway; `length` in nanoseconds.
    pub(super) fn new(
        contestant: &Contestant,
        score: &Score,
        busy: &[(Arc<str>, u32, f64)],
        totals: &[(Totals, u64, Option<String>)],
        length: u64,
        elapsed: Duration,
    ) -> Self {
        let requests: u64 = score.ends.iter().sum();
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let attempts = |server: usize| score.attempts.get(server).copied().unwrap_or(0);
        let backends = busy.iter().enumerate().map(|(server, (name, weight, utilisation))| Share {
            name: name.to_string(),
            weight: *weight,
            attempts: attempts(server),
            utilisation: rounded(*utilisation, 1e4),
        });
        let sum = |of: fn(&Totals) -> u64| totals.iter().map(|(totals, ..)| of(totals)).sum::<u64>();
        Self {
            policy: contestant.label.clone(),
            version: contestant.policy.version().to_owned(),
            options: serde_json::from_str(&contestant.options).unwrap_or_default(),
            requests,
            seconds: rounded(length as f64 / 1e9, 1e3),
            mean_ms: rounded(score.latencies.as_ref().map_or(0.0, |l| l.mean() / 1e3), 1e3),
            p50_ms: score.percentile(0.5),
            p90_ms: score.percentile(0.9),
            p99_ms: score.percentile(0.99),
            p999_ms: score.percentile(0.999),
            errors: share(requests - score.ends[End::Served as usize], requests),
            ends: End::ALL.into_iter().map(|(end, name)| (name, score.ends[end as usize])).collect(),
            imbalance: rounded(imbalance(busy.iter().map(|(.., utilisation)| *utilisation)), 1e4),
            moved: share(score.moved, score.returned),
            retries: score.retries,
            faults: totals.iter().map(|(_, faults, _)| faults).sum(),
            last_fault: totals.iter().find_map(|(.., last)| last.clone()),
            fallbacks: sum(|totals| totals.fallbacks),
            backends: backends.collect(),
            curve: CURVE.into_iter().map(|share| (share, score.percentile(share))).collect(),
            pick_nanos: sum(|totals| totals.nanos).checked_div(sum(|totals| totals.timed)).unwrap_or(0),
            elapsed,
        }
    }
}

/// The largest relative to the mean; 1 when all are 0.
fn imbalance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (largest, number) = (values.clone().fold(0.0, f64::max), values.clone().count());
    let mean = values.sum::<f64>() / number.max(1) as f64;
    if mean > 0.0 { largest / mean } else { 1.0 }
}

fn rounded(value: f64, grain: f64) -> f64 {
    (value * grain).round() / grain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_back_to_its_backend_has_not_moved() {
        let mut score = Score::default();
        for (key, server) in [(1, 0), (2, 1), (1, 0), (2, 0), (2, 0)] {
            score.choose(key, server, true);
        }
        score.choose(1, 1, false);
        assert_eq!((score.returned, score.moved, score.retries), (3, 1, 1));
        assert_eq!(score.attempts, [4, 2]);
    }

    #[test]
    fn a_failure_at_once_does_not_make_a_policy_look_fast() {
        let mut score = Score::default();
        score.end(End::Served, 10_000_000);
        score.end(End::ServerError, 1_000);
        assert!((score.percentile(0.0) - 10.0).abs() < 0.01, "{}", score.percentile(0.0));
    }

    #[test]
    fn imbalance_is_the_busiest_against_the_mean() {
        assert_eq!(imbalance([0.5, 1.0, 0.0].into_iter()), 2.0);
        assert_eq!(imbalance([0.0; 3].into_iter()), 1.0);
    }
}
