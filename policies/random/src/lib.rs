//! A draw in proportion to the weights, or the better of several draws.
//!
//! With `choices = 2` this is "the power of two choices" (Mitzenmacher, IEEE TPDS 12(10), 2001):
//! comparing two candidates at random is nearly as good as knowing the least loaded one, costs
//! the same however many there are, and many gateways that do so do not all run to the same
//! backend. The one with less in flight for its weight is taken.
//!
//! When they are equal the first draw stays, so an idle upstream is shared exactly by weight.
//! (nginx's `random two` keeps the second, which favours the light: with weights 1, 2, 4 the
//! heaviest of an idle upstream gets less than the middle one.)

use pointsman_policy::{Backend, Choice, Line, Policy, Random, Request, export, request, stats};
use serde::Deserialize;

/// More would cost more than asking for all of them.
const CHOICES_MAX: u32 = 10;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How many are drawn, at most. One is plain random.
    choices: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { choices: 1 }
    }
}

struct Draw {
    line: Line,
    choices: u32,
    seed: u64,
    /// Who must not be drawn any more; kept to save its memory.
    gone: Vec<u32>,
}

impl Draw {
    /// The best of the draws among those not tried; none if all were. `load` is only asked to
    /// compare.
    fn best(&mut self, tried: &[u32], random: &mut Random, load: impl Fn(u32) -> u32) -> Option<u32> {
        self.gone.clear();
        self.gone.extend(tried);
        self.gone.sort_unstable();
        self.gone.dedup();
        let first = self.line.draw(&self.gone, random)?;
        if self.choices == 1 {
            return Some(first);
        }
        let (mut best, mut last) = ((first, u64::from(load(first))), first);
        for _ in 1..self.choices {
            self.gone.insert(self.gone.partition_point(|index| *index < last), last);
            let Some(other) = self.line.draw(&self.gone, random) else {
                break;
            };
            let other_load = u64::from(load(other));
            if other_load * self.line.weight(best.0) < best.1 * self.line.weight(other) {
                best = (other, other_load);
            }
            last = other;
        }
        Some(best.0)
    }
}

impl Policy for Draw {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        if !(1..=CHOICES_MAX).contains(&options.choices) {
            let found = options.choices;
            return Err(format!("choices: expected 1 to {CHOICES_MAX}, found {found}"));
        }
        let choices = options.choices.min(backends.len() as u32);
        let line = Line::new(backends.iter().map(|backend| backend.weight));
        Ok(Self { line, choices, seed, gone: Vec::new() })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let mut random = Random::new(self.seed, request);
        let best = self.best(&request::tried(request), &mut random, stats::in_flight_of);
        best.map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(Draw);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{assert_shares, backends, chosen, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Policy};

    use super::Draw;

    const TWO: &str = r#"{"choices":2}"#;

    fn born(options: &str, weights: &[u32]) -> Draw {
        policy(options, backends(weights)).expect("options that exist")
    }

    /// How often each of four is picked, out of 70,000.
    fn shares(options: &str, weights: &[u32], in_flight: &[u32]) -> [u32; 4] {
        gateway(|gateway| gateway.in_flight = in_flight.to_vec());
        let (mut policy, mut shares) = (born(options, weights), [0; 4]);
        for random in 0..70_000 {
            shares[chosen(policy.pick(&request(random))) as usize] += 1;
        }
        shares
    }

    #[test]
    fn shares_follow_the_weights() {
        for (options, weights, in_flight, expected) in [
            ("{}", &[1][..], &[0][..], [70e3, 0., 0., 0.]),
            ("{}", &[1, 2, 4], &[9, 0, 0], [10e3, 20e3, 40e3, 0.]),
            ("{}", &[65535; 4], &[0; 4], [17_500.; 4]),
            (TWO, &[1], &[5], [70e3, 0., 0., 0.]),
            // Idle, or loaded in proportion: the first draw stays.
            (TWO, &[1, 2, 4], &[0, 0, 0], [10e3, 20e3, 40e3, 0.]),
            (TWO, &[1, 2, 4], &[3, 6, 12], [10e3, 20e3, 40e3, 0.]),
            // In descending load: the better of any pair, so 3, 2, 1 and 0 of 6 pairs.
            (TWO, &[1; 4], &[4, 3, 2, 1], [0., 70e3 / 6., 70e3 / 3., 35e3]),
            (r#"{"choices":3}"#, &[1; 4], &[4, 3, 2, 1], [0., 0., 17_500., 52_500.]),
            (r#"{"choices":10}"#, &[1; 4], &[1, 2, 0, 3], [0., 0., 70e3, 0.]),
        ] {
            assert_shares(&shares(options, weights, in_flight), &expected);
        }
    }

    #[test]
    fn the_same_request_and_seed_give_the_same_pick() {
        let picks = || (0..100).map(|random| born(TWO, &[1; 10]).pick(&request(random)));
        assert!(picks().eq(picks()));
    }

    #[test]
    fn who_was_tried_is_not_drawn() {
        let mut policy = born(TWO, &[1, 1, 65535]);
        gateway(|gateway| gateway.in_flight = vec![1, 2, 0]);
        assert_eq!(retry(&mut policy, &[2]), Choice::Backend(0));
        assert_eq!(retry(&mut policy, &[2, 0]), Choice::Backend(1));
        assert_eq!(retry(&mut policy, &[2, 0, 1]), Choice::Abstain);
    }

    #[test]
    fn choices_out_of_range_are_refused() {
        for (options, expected) in [
            (r#"{"choices":0}"#, "choices: expected 1 to 10, found 0"),
            (r#"{"choices":11}"#, "choices: expected 1 to 10, found 11"),
        ] {
            assert_eq!(policy::<Draw>(options, backends(&[1])).err().as_deref(), Some(expected));
        }
    }
}
