//! By the key that the upstream's `hash_key` makes of a request, on a ring of hashes: pick for
//! pick as nginx's `hash … consistent`, and, if wanted, with bounded loads.
//!
//! Each backend has 160 points on the ring for each unit of its weight; a key belongs to the
//! first point at or after its checksum. When a backend comes or goes only its own keys move.
//! With a bound a key goes on along the ring while the backend that it meets has more than its
//! share in flight, so that a popular key cannot drown anybody.

use pointsman_policy::{Backend, Bound, Choice, Policy, Request, Ring, export};
use pointsman_policy::{request, upstream};
use serde::Deserialize;

/// More points than this make no ring any evener.
const POINTS_MAX: u32 = 10_000;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Points for a unit of weight.
    points: u32,
    /// How many times its share a backend may have in flight; 0: as much as comes.
    bound: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { points: Ring::POINTS, bound: 0.0 }
    }
}

struct Ketama {
    ring: Ring,
    bound: Option<Bound>,
}

impl Policy for Ketama {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        if !(1..=POINTS_MAX).contains(&options.points) {
            return Err(format!("points: expected 1 to {POINTS_MAX}, found {}", options.points));
        }
        let bound = Bound::new(options.bound, &backends)?;
        Ok(Self { ring: Ring::new(&upstream::members(), options.points), bound })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let checksum = request::key_crc32();
        // Without a key there is nothing to go by, and all requests would meet at one backend.
        if checksum == 0 && request::key_bytes().is_empty() {
            return Choice::Abstain;
        }
        let tried = request::tried(request);
        match &self.bound {
            None => self.ring.pick(checksum, &tried),
            Some(bound) => self.ring.pick_free(checksum, &tried, bound.free()),
        }
    }
}

export!(Ketama);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, chosen, gateway, members, numbers, policy, request, rows};
    use pointsman_policy::{Choice, Policy};

    use super::Ketama;

    fn born(options: &str, weights: &[u32], down: &[usize]) -> Ketama {
        gateway(|gateway| gateway.members = members(&backends(weights), down));
        policy(options, backends(weights)).expect("options that exist")
    }

    fn pick(policy: &mut Ketama, key: &str) -> Choice {
        gateway(|gateway| gateway.key = key.into());
        policy.pick(&request(0))
    }

    /// Recorded from nginx 1.22.1; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_nginx() {
        let csv = include_str!("../../../tests/vectors/nginx_hash_uri.csv");
        let (mut equal, mut weighted) = (born("{}", &[1; 5], &[]), born("{}", &[1, 2, 3, 4, 5], &[]));
        for row in rows(csv) {
            assert_eq!(pick(&mut equal, row[0]), Choice::Backend(numbers(row[1])[0]), "{row:?}");
            assert_eq!(pick(&mut weighted, row[0]), Choice::Backend(numbers(row[3])[0]), "{row:?}");
        }
    }

    #[test]
    fn a_bound_moves_keys_on_only_while_their_backend_is_full() {
        let (mut free, mut bounded) = (born("{}", &[1; 5], &[]), born(r#"{"bound":1.25}"#, &[1; 5], &[]));
        // 13 slots are dealt out: 3 for the last three, else 2.
        for (in_flight, full) in [(vec![0; 5], None), (vec![2; 5], None), (vec![0, 0, 9, 0, 0], Some(2))] {
            gateway(|gateway| gateway.in_flight = in_flight.clone());
            for number in 0..300 {
                let key = format!("/item/{number}");
                let (owner, picked) = (pick(&mut free, &key), pick(&mut bounded, &key));
                let sum: u32 = in_flight.iter().sum();
                if full.is_some_and(|full| owner == Choice::Backend(full)) {
                    assert_ne!(picked, owner, "{key}: it is full");
                } else if sum != 10 {
                    assert_eq!(picked, owner, "{key}: there is room");
                }
            }
        }
    }

    #[test]
    fn a_popular_key_cannot_drown_anybody() {
        let mut policy = born(r#"{"bound":1.5}"#, &[1; 10], &[]);
        gateway(|gateway| gateway.in_flight = vec![0; 10]);
        for _ in 0..200 {
            let index = chosen(pick(&mut policy, "/popular")) as usize;
            gateway(|gateway| gateway.in_flight[index] += 1);
        }
        let in_flight = gateway(|gateway| gateway.in_flight.clone());
        assert!(in_flight.iter().all(|count| *count <= 31), "1.5 times 20 and one: {in_flight:?}");
    }

    #[test]
    fn only_the_keys_of_one_that_is_gone_move() {
        let (mut all, mut fewer) = (born("{}", &[1; 10], &[]), born("{}", &[1; 10], &[9]));
        for number in 0..2_000 {
            let key = format!("/item/{number}");
            let (before, after) = (pick(&mut all, &key), pick(&mut fewer, &key));
            assert!(before == Choice::Backend(9) || after == before, "{key}");
            assert_ne!(after, Choice::Backend(9), "{key}");
        }
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (options, expected) in [
            (r#"{"points":0}"#, "points: expected 1 to 10000, found 0"),
            (r#"{"bound":1}"#, "bound: expected 0 (none), or a factor from 1.01 to 1000, as 1.25"),
            (r#"{"bound":"much"}"#, "bound: expected a number, found \"much\""),
        ] {
            assert_eq!(policy::<Ketama>(options, backends(&[1])).err().as_deref(), Some(expected));
        }
    }

    #[test]
    fn without_a_key_the_gateway_decides() {
        assert_eq!(pick(&mut born("{}", &[1, 1], &[]), ""), Choice::Abstain);
    }
}
