//! The power of two choices: of two random candidates the one with less to do.
//!
//! Two are nearly as good as a look at all of them (Mitzenmacher, "The power of two choices in
//! randomized load balancing", IEEE TPDS 12(10), 2001), cost the same however many there are, and
//! many gateways that do so do not all run to the same backend. What is compared is the requests
//! in flight, or the response time that they make one expect.
//!
//! The first draw follows the weights and stays when both are equal, so an idle upstream is
//! shared exactly by weight. nginx's `random two` keeps the second one, which favours the light.

use pointsman_policy::{Backend, Choice, Line, Policy, Random, Request, export, request, stats};
use serde::Deserialize;

/// More would cost more than asking for all of them.
const CHOICES_MAX: u32 = 10;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum By {
    /// Requests in flight.
    InFlight,
    /// Mean response time times requests in flight and this one.
    Latency,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How many are drawn, at most.
    choices: u32,
    /// What is compared.
    by: By,
}

impl Default for Options {
    fn default() -> Self {
        Self { choices: 2, by: By::InFlight }
    }
}

struct TwoChoices {
    line: Line,
    choices: u32,
    by: By,
    seed: u64,
    /// Who must not be drawn any more, in order; kept to save its memory.
    gone: Vec<u32>,
}

impl TwoChoices {
    /// What a candidate has to do, for its weight.
    fn load(&self, index: u32) -> f64 {
        let in_flight = f64::from(stats::in_flight_of(index));
        let load = match self.by {
            By::InFlight => in_flight,
            By::Latency => (in_flight + 1.0) * f64::from(stats::latency_of(index)),
        };
        load / self.line.weight(index).max(1) as f64
    }

    /// The best of the draws among those not tried; none if all were.
    fn best(&mut self, tried: &[u32], random: &mut Random) -> Option<u32> {
        self.gone.clear();
        self.gone.extend(tried);
        self.gone.sort_unstable();
        self.gone.dedup();
        let first = self.line.draw(&self.gone, random)?;
        let (mut best, mut least, mut last) = (first, None, first);
        for _ in 1..self.choices {
            self.gone.insert(self.gone.partition_point(|index| *index < last), last);
            let Some(other) = self.line.draw(&self.gone, random) else {
                break;
            };
            let load = self.load(other);
            if load < *least.get_or_insert_with(|| self.load(first)) {
                (best, least) = (other, Some(load));
            }
            last = other;
        }
        Some(best)
    }
}

impl Policy for TwoChoices {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        if !(2..=CHOICES_MAX).contains(&options.choices) {
            return Err(format!("choices: expected 2 to {CHOICES_MAX}, found {}", options.choices));
        }
        let line = Line::new(backends.iter().map(|backend| backend.weight));
        Ok(Self { line, choices: options.choices, by: options.by, seed, gone: Vec::new() })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let mut random = Random::new(self.seed, request);
        let best = self.best(&request::tried(request), &mut random);
        best.map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(TwoChoices);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{assert_shares, backends, chosen, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Policy};

    use super::TwoChoices;

    const LATENCY: &str = r#"{"by":"latency"}"#;

    fn born(options: &str, weights: &[u32]) -> TwoChoices {
        policy(options, backends(weights)).expect("options that exist")
    }

    fn shares(options: &str, weights: &[u32]) -> Vec<u32> {
        let (mut policy, mut found) = (born(options, weights), vec![0; weights.len()]);
        for random in 0..60_000 {
            found[chosen(policy.pick(&request(random))) as usize] += 1;
        }
        found
    }

    #[test]
    fn the_better_of_any_pair_wins() {
        gateway(|gateway| gateway.in_flight = vec![4, 3, 2, 1]);
        // Four make six pairs; each wins against those that have more to do.
        assert_shares(&shares("{}", &[1; 4]), &[0.0, 1.0, 2.0, 3.0]);
        assert_shares(&shares(r#"{"choices":3}"#, &[1; 4]), &[0.0, 0.0, 1.0, 3.0]);
    }

    #[test]
    fn by_latency_a_slow_one_counts_as_busy() {
        gateway(|gateway| {
            gateway.in_flight = vec![0, 3, 1];
            gateway.latency = vec![9_000, 1_000, 1_000];
        });
        assert_shares(&shares(LATENCY, &[1; 3]), &[0.0, 1.0, 2.0]);
        assert_shares(&shares("{}", &[1; 3]), &[2.0, 0.0, 1.0]);
    }

    #[test]
    fn an_idle_upstream_is_shared_by_weight() {
        gateway(|gateway| gateway.in_flight = vec![0; 3]);
        assert_shares(&shares("{}", &[1, 2, 4]), &[1.0, 2.0, 4.0]);
        assert_shares(&shares("{}", &[1]), &[1.0]);
    }

    #[test]
    fn who_was_tried_is_not_drawn() {
        let mut policy = born("{}", &[1, 1, 65535]);
        gateway(|gateway| gateway.in_flight = vec![1, 2, 0]);
        assert_eq!(retry(&mut policy, &[2]), Choice::Backend(0));
        assert_eq!(retry(&mut policy, &[2, 0]), Choice::Backend(1));
        assert_eq!(retry(&mut policy, &[2, 0, 1]), Choice::Abstain);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (options, expected) in [
            (r#"{"choices":1}"#, "choices: expected 2 to 10, found 1"),
            (r#"{"choices":11}"#, "choices: expected 2 to 10, found 11"),
            (r#"{"by":"luck"}"#, "by: there is no `luck`; there are `in_flight`, `latency`"),
        ] {
            assert_eq!(policy::<TwoChoices>(options, backends(&[1])).err().as_deref(), Some(expected));
        }
    }
}
