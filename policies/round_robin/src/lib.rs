//! Smooth weighted round robin, pick for pick what nginx does by default
//! (`src/http/ngx_http_upstream_round_robin.c`).
//!
//! Each candidate in turn, as often as its weight says, and as evenly spread as can be: weights
//! 5, 1, 1 give a a b a c a a. The order repeats itself, so an instance learns it by heart while
//! it is born (`cycle.rs`): a pick costs the same with 2 candidates and with 1,000.

mod cycle;

use cycle::Cycle;
use pointsman_policy::{Backend, Choice, Policy, Request, export, request};
use serde::Deserialize;

/// Where an instance begins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Start {
    /// Anywhere in the order, so that the workers do not march in step.
    #[default]
    Random,
    /// At its beginning: the exact order of a freshly started nginx.
    First,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    start: Start,
}

struct RoundRobin(Cycle);

impl Policy for RoundRobin {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        let weights: Vec<u32> = backends.iter().map(|backend| backend.weight).collect();
        let mut cycle = Cycle::new(&weights);
        if let Start::Random = options.start {
            cycle.skip((seed % cycle.places() as u64) as usize);
        }
        Ok(Self(cycle))
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let tried = request::tried(request);
        let next = if tried.is_empty() { self.0.next() } else { self.0.next_but(&tried) };
        next.map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(RoundRobin);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, chosen, numbers, policy, request, retry, rows};
    use pointsman_policy::{Choice, Policy};

    use super::RoundRobin;

    const FIRST: &str = r#"{"start":"first"}"#;

    fn born(options: &str, weights: &[u32]) -> RoundRobin {
        policy(options, backends(weights)).expect("options that exist")
    }

    fn picks(policy: &mut RoundRobin, count: usize) -> Vec<u32> {
        (0..count).map(|_| chosen(policy.pick(&request(0)))).collect()
    }

    #[test]
    fn the_heavy_one_is_spread_out() {
        for (weights, expected) in [
            (&[5, 1, 1][..], &[0, 0, 1, 0, 2, 0, 0][..]),
            (&[4, 3, 2, 1], &[0, 1, 2, 0, 1, 3, 0, 2, 1, 0]),
            (&[2, 2, 5], &[2, 0, 1, 2, 2, 0, 2, 1, 2]),
            (&[3, 3, 3], &[0, 1, 2, 0, 1, 2]),
            (&[65535], &[0, 0, 0]),
        ] {
            assert_eq!(picks(&mut born(FIRST, weights), expected.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn instances_begin_at_different_places() {
        let first_picks = (1..=100).map(|seed| {
            let mut policy = RoundRobin::new(super::Options::default(), backends(&[1; 10]), seed);
            picks(policy.as_mut().expect("no options"), 1)[0]
        });
        assert_eq!(first_picks.collect::<std::collections::HashSet<_>>().len(), 10);
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        let mut policy = born(FIRST, &[1, 1, 1]);
        assert_eq!(retry(&mut policy, &[0]), Choice::Backend(1));
        assert_eq!(retry(&mut policy, &[0, 1]), Choice::Backend(2));
        assert_eq!(retry(&mut policy, &[0, 1, 2]), Choice::Abstain);
    }

    #[test]
    fn an_option_that_does_not_exist_is_refused_by_name() {
        let error = policy::<RoundRobin>(r#"{"strat":"first"}"#, backends(&[1])).err();
        assert!(error.is_some_and(|text| text.contains("strat") && text.contains("start")));
    }

    /// Recorded from nginx 1.22.1; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_nginx() {
        let csv = include_str!("../../../tests/vectors/nginx_wrr_order.csv");
        let mut current = (String::new(), born(FIRST, &[1]));
        for row in rows(csv) {
            let [set, weights, pick, backend] = row[..] else { panic!("{row:?}") };
            if current.0 != set {
                current = (set.into(), born(FIRST, &numbers(weights)));
            }
            assert_eq!(picks(&mut current.1, 1), numbers(backend), "{set}, pick {pick}");
        }
    }

    /// A backend fails, is retried elsewhere and comes back, all within one process of nginx.
    #[test]
    fn agrees_with_nginx_on_retries() {
        let csv = include_str!("../../../tests/vectors/nginx_max_fails_traces.csv");
        let mut policy = born(FIRST, &[2, 1]);
        for row in rows(csv).filter(|row| row[0] == "mf0" && row[2] == "req") {
            let expected = numbers(row[3]);
            for attempt in 0..expected.len() {
                let choice = retry(&mut policy, &expected[..attempt]);
                assert_eq!(choice, Choice::Backend(expected[attempt]), "at {} s", row[1]);
            }
        }
    }
}
