//! The candidate at which a request has the least time to wait: its mean response time, times
//! the requests that would then be there, for its weight; failing backends count as slower.
//!
//! Requests in flight alone do not tell a slow backend from a busy one, and response times alone
//! come too late. Their product is the cost of Finagle's "peak EWMA" balancer and of nginx's
//! `least_time`, here over all candidates instead of two, from the whole gateway's measurements.
//! A share of failures f multiplies it by 1 + 20 f: a backend that fails at once looks fast, and
//! must not attract everybody. A backend without samples counts as the mean of the upstream.

use pointsman_policy::{Backend, Choice, NoOptions, Policy, Request, export, request, stats};

/// How much slower a backend counts that always fails, less one.
const FAILURE_COST: f64 = 20.0;

/// Waits that differ by less than this factor are equal: response times are no more exact than
/// that, and without it a quiet upstream would send everything to whoever was luckiest.
const ALIKE: f64 = 1.125;

/// The wait for one more request, in microseconds at a backend of weight 1. `share` is what one
/// unit of weight has of the backend: 1 / weight.
fn wait(latency: u32, in_flight: u32, share: f64) -> f64 {
    f64::from(latency) * (f64::from(in_flight) + 1.0) * share
}

/// By what a share of failures, in parts per million, multiplies the wait: 1 or more.
fn penalty(failures: u32) -> f64 {
    1.0 + FAILURE_COST * 1e-6 * f64::from(failures)
}

/// The smaller one; without the care for what is no number that `f64::min` takes.
fn smaller(one: f64, other: f64) -> f64 {
    if other < one { other } else { one }
}

/// The first of those that wait about as little as `least`, the least of them, from `begin` on and
/// round. None if all wait for ever.
fn first_alike(waits: &[f64], least: f64, begin: usize) -> Option<usize> {
    let alike = |index: &usize| waits.get(*index).is_some_and(|wait| *wait <= least * ALIKE);
    if least.is_finite() { (begin..waits.len()).chain(0..begin).find(alike) } else { None }
}

struct Fair {
    /// 1 / weight.
    shares: Vec<f64>,
    /// Where the scan begins: behind the last choice, so that equals take turns.
    begin: usize,
    /// The waits of a pick; kept to save its memory.
    waits: Vec<f64>,
}

impl Fair {
    /// The candidate at which the wait is least, or about as little, among those not tried.
    ///
    /// Failures are asked for one at a time: a penalty can only lengthen a wait, so if the best
    /// without penalties has none itself, it is also among the best with them. Only otherwise is
    /// the whole column needed.
    fn choose(&mut self, tried: &[u32]) -> Option<usize> {
        let measured = stats::latency().into_iter().zip(stats::in_flight()).zip(&self.shares);
        let mut least = f64::INFINITY;
        self.waits.clear();
        self.waits.extend(measured.map(|((latency, in_flight), share)| {
            let wait = wait(latency, in_flight, *share);
            least = smaller(least, wait);
            wait
        }));
        if !tried.is_empty() {
            least = self.without(tried);
        }
        let best = first_alike(&self.waits, least, self.begin)?;
        if stats::failures_of(best as u32) == 0 {
            return Some(best);
        }
        let mut least = f64::INFINITY;
        for (wait, failures) in self.waits.iter_mut().zip(stats::failures()) {
            *wait *= penalty(failures);
            least = smaller(least, *wait);
        }
        first_alike(&self.waits, least, self.begin)
    }

    /// Lets those that were tried wait for ever; returns the least wait of the others.
    fn without(&mut self, tried: &[u32]) -> f64 {
        for index in tried {
            if let Some(wait) = self.waits.get_mut(*index as usize) {
                *wait = f64::INFINITY;
            }
        }
        self.waits.iter().copied().fold(f64::INFINITY, smaller)
    }
}

impl Policy for Fair {
    type Options = NoOptions;

    fn new(_: NoOptions, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        let begin = seed % backends.len().max(1) as u64;
        let shares = backends.iter().map(|backend| 1.0 / f64::from(backend.weight)).collect();
        Ok(Self { shares, begin: begin as usize, waits: Vec::new() })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let Some(best) = self.choose(&request::tried(request)) else {
            return Choice::Abstain;
        };
        self.begin = best + 1;
        Choice::Backend(best as u32)
    }
}

export!(Fair);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, chosen, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Policy, Random};

    use super::{ALIKE, Fair, penalty, wait};

    /// A policy whose scan begins at candidate 0.
    fn born(weights: &[u32]) -> Fair {
        Fair { begin: 0, ..policy("{}", backends(weights)).expect("no options") }
    }

    fn measured(latency: &[u32], in_flight: &[u32], failures: &[u32]) {
        gateway(|gateway| {
            gateway.latency = latency.to_vec();
            gateway.in_flight = in_flight.to_vec();
            gateway.failures = failures.to_vec();
        });
    }

    #[test]
    fn the_least_wait_is_picked() {
        const BUSY: u32 = 2_147_483_647;
        for (weights, latency, in_flight, failures, expected) in [
            (&[1][..], &[500][..], &[3][..], &[0][..], 0),
            // Equal but for response time, load, weight.
            (&[1, 1, 1], &[300, 200, 100], &[0, 0, 0], &[0, 0, 0], 2),
            (&[1, 1, 1], &[100, 100, 100], &[3, 2, 1], &[0, 0, 0], 2),
            (&[1, 2, 4], &[100, 100, 100], &[1, 1, 1], &[0, 0, 0], 2),
            // Twice as fast, but three times as busy.
            (&[1, 1], &[100, 200], &[5, 1], &[0, 0], 1),
            // Fast because it fails: 100 x (1 + 20 x 0.6) is more than 1,000.
            (&[1, 1], &[100, 1_000], &[0, 0], &[600_000, 0], 1),
            (&[1, 1], &[100, 1_000], &[0, 0], &[400_000, 0], 0),
            // A tenth more is no difference: the first of the two.
            (&[1, 1], &[110, 100], &[0, 0], &[0, 0], 0),
            // All fail: the least bad.
            (&[1, 1, 1], &[100, 100, 100], &[0, 0, 0], &[300_000, 200_000, 100_000], 2),
            // The largest numbers there can be.
            (&[1, 65535], &[BUSY, BUSY], &[BUSY, BUSY], &[1_000_000, 1_000_000], 1),
        ] {
            measured(latency, in_flight, failures);
            let choice = born(weights).pick(&request(0));
            assert_eq!(choice, Choice::Backend(expected), "{latency:?} {in_flight:?} {failures:?}");
        }
    }

    #[test]
    fn equals_take_turns() {
        measured(&[100, 100, 100], &[0, 0, 0], &[0, 0, 0]);
        let mut policy = born(&[1, 1, 1]);
        let picks: Vec<u32> = (0..5).map(|_| chosen(policy.pick(&request(0)))).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1]);
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        measured(&[100, 200, 300], &[0, 0, 0], &[0, 0, 0]);
        let mut policy = born(&[1, 1, 1]);
        assert_eq!(retry(&mut policy, &[0]), Choice::Backend(1));
        assert_eq!(retry(&mut policy, &[1, 0]), Choice::Backend(2));
        assert_eq!(retry(&mut policy, &[0, 1, 2]), Choice::Abstain);
    }

    #[test]
    fn asking_for_one_failure_rate_finds_what_asking_for_all_would() {
        let mut random = Random::new(7, &request(7));
        for _ in 0..20_000 {
            // Few different values, so that ties are many.
            let mut column = |values: &[u32]| -> Vec<u32> {
                (0..6).map(|_| values[random.below(values.len() as u64) as usize]).collect()
            };
            let weights = column(&[1, 2, 3]);
            let (latency, in_flight) = (column(&[100, 200, 2_100]), column(&[0, 1, 2]));
            let failures = column(&[0, 0, 0, 50_000, 1_000_000]);
            let begin = column(&[0, 1, 2, 3, 4, 5, 6])[0] as usize;
            measured(&latency, &in_flight, &failures);

            let score =
                |i: usize| wait(latency[i], in_flight[i], 1.0 / f64::from(weights[i])) * penalty(failures[i]);
            let least = (0..6).map(score).reduce(f64::min).expect("six of them");
            let chosen = Fair { begin, ..born(&weights) }.choose(&[]).expect("nobody was tried");
            assert!(score(chosen) <= least * ALIKE, "{chosen} with {} instead of {least}", score(chosen));
        }
    }
}
