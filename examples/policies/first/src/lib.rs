//! Fills one backend before it begins with the next: those at the end of the list stay idle and
//! can be switched off. HAProxy's `balance first`.

use pointsman_policy::{Backend, Choice, Policy, Request, export, request, stats};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Requests in flight at which a backend of weight 1 is full.
    limit: u32,
}

struct First {
    /// At how many requests in flight each is full.
    limits: Vec<u64>,
}

impl Policy for First {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        if options.limit == 0 {
            return Err("limit: say how many requests at once a backend takes, as 10".into());
        }
        let limit = |backend: &Backend| u64::from(options.limit) * u64::from(backend.weight);
        Ok(Self { limits: backends.iter().map(limit).collect() })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let tried = request::tried(request);
        let in_flight = stats::in_flight();
        let has_room = |index: &u32| {
            let load = in_flight.get(*index as usize).copied().unwrap_or(0);
            !tried.contains(index) && u64::from(load) < self.limits[*index as usize]
        };
        // When all are full the gateway shares the rest out.
        (0..self.limits.len() as u32).find(has_room).map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(First);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Policy};

    use super::First;

    #[test]
    fn one_is_filled_before_the_next() {
        let mut first: First = policy(r#"{"limit":2}"#, backends(&[1, 3, 1])).expect("good options");
        for (in_flight, expected) in [
            ([0, 0, 0], Choice::Backend(0)),
            ([1, 5, 0], Choice::Backend(0)),
            ([2, 5, 0], Choice::Backend(1)),
            ([2, 6, 1], Choice::Backend(2)),
            ([2, 6, 2], Choice::Abstain),
        ] {
            gateway(|gateway| gateway.in_flight = in_flight.to_vec());
            assert_eq!(first.pick(&request(0)), expected, "{in_flight:?}");
        }
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        let mut first: First = policy(r#"{"limit":2}"#, backends(&[1, 1])).expect("good options");
        assert_eq!(retry(&mut first, &[0]), Choice::Backend(1));
    }

    #[test]
    fn without_a_limit_it_is_refused() {
        let refusal = |options| policy::<First>(options, backends(&[1])).err().expect("no limit");
        assert_eq!(refusal("{}"), "`limit` is missing");
        assert_eq!(refusal(r#"{"limit":0}"#), "limit: say how many requests at once a backend takes, as 10");
    }
}
