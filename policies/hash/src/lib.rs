//! By the key that the upstream's `hash_key` makes of a request, pick for pick as nginx's `hash`
//! (`src/http/modules/ngx_http_upstream_hash_module.c`).
//!
//! The same key goes to the same backend, so what it has cached is found again. Plain, every
//! backend has as many slots as its weight: cheap and even, but nearly every key moves when the
//! list of backends changes. `consistent = true` puts the backends on a ring (ketama): then
//! only the keys of the one that came or went move. In both a backend that is down keeps its
//! place, and only its own keys go elsewhere until it is back.

use pointsman_policy::{Backend, Bound, Choice, Policy, Request, Ring, Slots, crc32, export};
use pointsman_policy::{request, upstream};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Whether the backends stand on a ring.
    consistent: bool,
    /// How many times its share a backend on the ring may have in flight; 0: as much as comes.
    bound: f64,
}

enum Hash {
    Plain(Slots),
    Consistent(Ring, Option<Bound>),
}

impl Hash {
    /// The choice for a key with this checksum. The key itself is asked for only if its first
    /// slot is of no use: `nginx` then hashes it again with "1", "2", ... in front.
    fn pick_for(&self, checksum: u32, key: impl Fn() -> Vec<u8>, tried: &[u32]) -> Choice {
        let slots = match self {
            Self::Consistent(ring, None) => return ring.pick(checksum, tried),
            Self::Consistent(ring, Some(bound)) => return ring.pick_free(checksum, tried, bound.free()),
            Self::Plain(slots) => slots,
        };
        let (mut sum, mut rounds, mut fetched) = (0, 0u32, None);
        slots.pick(tried, || {
            let checksum = if rounds == 0 {
                checksum
            } else {
                let key = fetched.get_or_insert_with(&key);
                crc32(&[rounds.to_string().as_bytes(), key])
            };
            rounds += 1;
            sum += u64::from((checksum >> 16) & 0x7fff);
            sum
        })
    }
}

impl Policy for Hash {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        let members = upstream::members();
        let bound = Bound::new(options.bound, &backends)?;
        if options.consistent {
            return Ok(Self::Consistent(Ring::new(&members, Ring::POINTS), bound));
        }
        if bound.is_some() {
            return Err("bound: only with `consistent = true`: slots have no order to go on in".into());
        }
        Ok(Self::Plain(Slots::new(&members)))
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let checksum = request::key_crc32();
        // Without a key there is nothing to go by, and all requests would meet at one backend.
        if checksum == 0 && request::key_bytes().is_empty() {
            return Choice::Abstain;
        }
        self.pick_for(checksum, request::key_bytes, &request::tried(request))
    }
}

export!(Hash);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{
        assert_shares, backends, chosen, gateway, members, numbers, policy, request, retry, rows,
    };
    use pointsman_policy::{Choice, Policy};

    use super::Hash;

    const PLAIN: &str = "{}";
    const CONSISTENT: &str = r#"{"consistent":true}"#;

    fn born(options: &str, weights: &[u32], down: &[usize]) -> Hash {
        gateway(|gateway| gateway.members = members(&backends(weights), down));
        policy(options, backends(weights)).expect("options that exist")
    }

    fn key(key: &str) {
        gateway(|gateway| gateway.key = key.into());
    }

    /// All candidates in the order in which a request would try them.
    fn order(policy: &mut Hash) -> Vec<u32> {
        let mut tried = Vec::new();
        while let Choice::Backend(next) = retry(policy, &tried) {
            tried.push(next);
        }
        tried
    }

    #[test]
    fn retries_go_where_nginx_sends_them() {
        key("/u/0");
        assert_eq!(order(&mut born(PLAIN, &[1; 5], &[])), [2, 0, 4, 1, 3]);
        assert_eq!(order(&mut born(CONSISTENT, &[1; 5], &[])), [3, 4, 0, 2, 1]);
    }

    #[test]
    fn only_the_keys_of_one_that_is_down_move() {
        for options in [PLAIN, CONSISTENT] {
            let (mut all, mut down) = (born(options, &[3, 1, 2], &[]), born(options, &[3, 1, 2], &[2]));
            for number in 0..500 {
                key(&format!("/item/{number}"));
                let (before, after) = (all.pick(&request(0)), down.pick(&request(0)));
                assert!(before == Choice::Backend(2) || after == before, "{options} {number}");
                assert_ne!(after, Choice::Backend(2), "{options} {number}");
            }
        }
    }

    #[test]
    fn shares_follow_the_weights() {
        let mut policy = born(PLAIN, &[1, 2, 5], &[]);
        let mut found = [0; 3];
        for number in 0..40_000u32 {
            // Keys as random as can be: nginx's hash keeps 15 bits of a checksum that is no hash.
            key(&format!("{:08x}", number.wrapping_mul(0x9e37_79b9)));
            found[chosen(policy.pick(&request(0))) as usize] += 1;
        }
        assert_shares(&found, &[1.0, 2.0, 5.0]);
    }

    #[test]
    fn without_a_key_the_gateway_decides() {
        key("");
        assert_eq!(born(PLAIN, &[1, 1], &[]).pick(&request(0)), Choice::Abstain);
        assert_eq!(born(CONSISTENT, &[1, 1], &[]).pick(&request(0)), Choice::Abstain);
    }

    #[test]
    fn one_candidate_gets_everything_once() {
        key("/u/0");
        for options in [PLAIN, CONSISTENT] {
            assert_eq!(order(&mut born(options, &[65535], &[])), [0]);
        }
    }

    #[test]
    fn a_bound_sends_keys_on_along_the_ring() {
        let bounded = r#"{"consistent":true,"bound":1.25}"#;
        key("/u/0");
        for (in_flight, expected) in [([0; 5], 3), ([0, 0, 0, 9, 0], 4), ([0, 0, 0, 9, 9], 0)] {
            gateway(|gateway| gateway.in_flight = in_flight.to_vec());
            let choice = born(bounded, &[1; 5], &[]).pick(&request(0));
            assert_eq!(choice, Choice::Backend(expected), "{in_flight:?}");
        }
        let refusal = policy::<Hash>(r#"{"bound":1.25}"#, backends(&[1])).err().expect("no ring");
        assert!(refusal.starts_with("bound: only with `consistent = true`"), "{refusal}");
    }

    /// Recorded from nginx 1.22.1; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_nginx() {
        let csv = include_str!("../../../tests/vectors/nginx_hash_uri.csv");
        let one_to_five = [1, 2, 3, 4, 5];
        let mut policies = [
            born(CONSISTENT, &[1; 5], &[]),
            born(PLAIN, &[1; 5], &[]),
            born(CONSISTENT, &one_to_five, &[]),
            born(PLAIN, &one_to_five, &[]),
        ];
        let mut without_2 = born(CONSISTENT, &[1; 5], &[2]);
        for row in rows(csv) {
            key(row[0]);
            for (policy, expected) in policies.iter_mut().zip(&row[1..5]) {
                assert_eq!(policy.pick(&request(0)), Choice::Backend(numbers(expected)[0]), "{row:?}");
            }
            // Candidates are numbered without the one that is down.
            let server = numbers(row[5])[0];
            let candidate = if server > 2 { server - 1 } else { server };
            assert_eq!(without_2.pick(&request(0)), Choice::Backend(candidate), "{row:?}");
        }
    }
}
