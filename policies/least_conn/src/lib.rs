//! The candidate with the least requests in flight for its weight, pick for pick as nginx's
//! `least_conn` (`src/http/modules/ngx_http_upstream_least_conn_module.c`).
//!
//! A slow backend collects requests, so it gets fewer new ones: no measuring, no delay, and the
//! counts are those of the whole gateway. Where several are equal, they take turns by smooth
//! weighted round robin. One trap: a backend that fails at once has nothing in flight and draws
//! all traffic, unless health checks or `fair` keep it away.

use pointsman_policy::{Backend, Choice, NoOptions, Policy, Request, Smooth, export};
use pointsman_policy::{request, stats};

struct LeastConn {
    weights: Vec<u32>,
    /// Whose turn it is among equals.
    turns: Smooth,
    /// The equals of a pick; kept to save its memory.
    equals: Vec<u32>,
}

impl LeastConn {
    /// The choice among those not tried, given what is in flight. None if all were tried.
    fn least(&mut self, in_flight: &[u32], tried: &[u32]) -> Option<u32> {
        let Self { weights, turns, equals } = self;
        equals.clear();
        // Worse than anybody: no weight, but load.
        let mut least = (1, 0);
        for (index, (load, weight)) in (0u32..).zip(in_flight.iter().zip(&*weights)) {
            if !tried.is_empty() && tried.contains(&index) {
                continue;
            }
            // Load for weight, a fraction against a fraction. All are below 2^31.
            let (load, weight) = (u64::from(*load), u64::from(*weight));
            let (this, best) = (load * least.1, least.0 * weight);
            if this < best {
                equals.clear();
                least = (load, weight);
            }
            if this <= best {
                equals.push(index);
            }
        }
        turns.step_among(equals)
    }
}

impl Policy for LeastConn {
    type Options = NoOptions;

    fn new(_: NoOptions, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        let weights: Vec<u32> = backends.iter().map(|backend| backend.weight).collect();
        Ok(Self { turns: Smooth::new(weights.iter().copied()), weights, equals: Vec::new() })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let least = self.least(&stats::in_flight(), &request::tried(request));
        least.map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(LeastConn);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, gateway, numbers, policy, request, retry, rows};
    use pointsman_policy::{Choice, Policy};

    use super::LeastConn;

    fn born(weights: &[u32]) -> LeastConn {
        policy("{}", backends(weights)).expect("no options")
    }

    #[test]
    fn the_least_loaded_for_its_weight_is_picked() {
        for (weights, in_flight, expected) in [
            (&[1][..], &[9][..], 0),
            (&[1, 1, 1], &[3, 2, 1], 2),
            (&[1, 1, 1], &[1, 2, 3], 0),
            (&[4, 2, 1], &[5, 2, 1], 1),
            (&[1, 65535], &[1, 65534], 1),
            (&[65535, 65535], &[2_147_483_647, 2_147_483_646], 1),
        ] {
            let choice = born(weights).least(in_flight, &[]);
            assert_eq!(choice, Some(expected), "weights {weights:?}, in flight {in_flight:?}");
        }
    }

    #[test]
    fn equals_take_turns_by_weight() {
        let mut policy = born(&[5, 1, 1, 1]);
        let turns: Vec<_> = (0..7).filter_map(|_| policy.least(&[0, 0, 0, 1], &[])).collect();
        assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        let mut policy = born(&[1, 1, 1]);
        gateway(|gateway| gateway.in_flight = vec![0, 5, 2]);
        assert_eq!(retry(&mut policy, &[0]), Choice::Backend(2));
        assert_eq!(retry(&mut policy, &[2, 0]), Choice::Backend(1));
        assert_eq!(retry(&mut policy, &[0, 1, 2]), Choice::Abstain);
    }

    /// Recorded from nginx 1.22.1; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_nginx() {
        let csv = include_str!("../../../tests/vectors/nginx_least_conn_traces.csv");
        for (set, weights) in [("lc_eq3", &[1, 1, 1][..]), ("lc_w321", &[3, 2, 1])] {
            let mut policy = born(weights);
            gateway(|gateway| gateway.in_flight = vec![0; weights.len()]);
            for row in rows(csv).filter(|row| row[0] == set) {
                let [_, step, operation, _, backend, after] = row[..] else { panic!("{row:?}") };
                if operation == "open" {
                    let expected = Choice::Backend(numbers(backend)[0]);
                    assert_eq!(policy.pick(&request(0)), expected, "{set}, step {step}");
                }
                let after = numbers(after)[..weights.len()].to_vec();
                gateway(|gateway| gateway.in_flight = after);
            }
        }
    }
}
