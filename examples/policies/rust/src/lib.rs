//! The candidate at which a request has the least time to wait: its mean response time, times the
//! requests that would then be there, for its weight. Failing candidates count as slower.

use pointsman_policy::{Backend, Choice, Policy, Request, export, request, stats};
use serde::Deserialize;

/// What stands beside `use = "least_wait"` in the configuration.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How many times slower a candidate counts that always fails.
    penalty: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { penalty: 20 }
    }
}

struct LeastWait {
    penalty: f64,
    weights: Vec<f64>,
    /// Where the scan begins: behind the last choice, so that equals take turns.
    begin: usize,
}

impl Policy for LeastWait {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        if options.penalty > 1000 {
            return Err(format!("`penalty` is {}: a whole number from 0 to 1000 is wanted", options.penalty));
        }
        let weights: Vec<f64> = backends.iter().map(|backend| f64::from(backend.weight)).collect();
        let begin = (seed % weights.len().max(1) as u64) as usize;
        Ok(Self { penalty: f64::from(options.penalty), weights, begin })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let (latency, in_flight, failures) = (stats::latency(), stats::in_flight(), stats::failures());
        let tried = request::tried(request);
        let (mut best, mut least) = (None, f64::INFINITY);
        for index in (self.begin..self.weights.len()).chain(0..self.begin) {
            let share = f64::from(latency[index]) * (f64::from(in_flight[index]) + 1.0) / self.weights[index];
            let wait = share * (1.0 + self.penalty * f64::from(failures[index]) / 1e6);
            if wait < least && !tried.contains(&(index as u32)) {
                (best, least) = (Some(index), wait);
            }
        }
        let Some(best) = best else { return Choice::Abstain };
        self.begin = best + 1;
        Choice::Backend(best as u32)
    }
}

export!(LeastWait);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, gateway, policy, request};
    use pointsman_policy::{Choice, Policy};

    use super::LeastWait;

    #[test]
    fn a_quick_candidate_is_preferred_until_it_is_busy() {
        let mut policy: LeastWait = policy("{}", backends(&[1, 1])).expect("good options");
        gateway(|gateway| {
            gateway.latency = vec![10_000, 30_000];
            gateway.in_flight = vec![1, 0];
            gateway.failures = vec![0, 0];
        });
        assert_eq!(policy.pick(&request(0)), Choice::Backend(0));
        gateway(|gateway| gateway.in_flight = vec![3, 0]);
        assert_eq!(policy.pick(&request(0)), Choice::Backend(1));
    }

    #[test]
    fn a_penalty_that_makes_no_sense_is_refused() {
        assert!(policy::<LeastWait>(r#"{"penalty":5000}"#, backends(&[1])).is_err());
    }
}
