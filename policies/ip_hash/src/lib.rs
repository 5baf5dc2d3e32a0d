//! By the client's address, pick for pick as nginx's `ip_hash`
//! (`src/http/modules/ngx_http_upstream_ip_hash_module.c`).
//!
//! A client comes back to the same backend as long as the upstream stays as it is. Of an IPv4
//! address the first three bytes count, so a /24 network stays together; of an IPv6 address all
//! sixteen. Every backend has as many slots as its weight, and keeps them while it is down: its
//! clients go elsewhere, nobody else moves.

use pointsman_policy::{Backend, Choice, NoOptions, Policy, Request, Slots, export, request};

/// Where nginx begins to hash.
const START: u64 = 89;

/// One round over the bytes that count.
fn hash(before: u64, address: &[u8]) -> u64 {
    address.iter().fold(before, |hash, byte| (hash * 113 + u64::from(*byte)) % 6271)
}

/// The bytes of an address that count; for a unix socket three zeros, as in nginx.
fn network(address: &[u8]) -> &[u8] {
    match address {
        [] => &[0; 3],
        [network @ .., _] if network.len() == 3 => network,
        _ => address,
    }
}

struct IpHash(Slots);

impl IpHash {
    /// The choice for a client. A slot whose backend is down, or was tried, sends it on to where
    /// the hash of the hash leads.
    fn pick_for(&self, address: &[u8], tried: &[u32]) -> Choice {
        let mut state = START;
        self.0.pick(tried, || {
            state = hash(state, network(address));
            state
        })
    }
}

impl Policy for IpHash {
    type Options = NoOptions;

    fn new(_: NoOptions, _: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        Ok(Self(Slots::new(&pointsman_policy::upstream::members())))
    }

    fn pick(&mut self, request: &Request) -> Choice {
        self.pick_for(&request::client_address(), &request::tried(request))
    }
}

export!(IpHash);

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use pointsman_policy::testing::{
        assert_shares, backends, chosen, gateway, members, numbers, policy, request, rows,
    };
    use pointsman_policy::{Choice, Random};

    use super::IpHash;

    fn born(weights: &[u32], down: &[usize]) -> IpHash {
        gateway(|gateway| gateway.members = members(&backends(weights), down));
        policy("{}", backends(weights)).expect("no options")
    }

    fn bytes(address: &str) -> Vec<u8> {
        match address.parse().expect(address) {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }

    /// All candidates in the order in which a request from `address` would try them.
    fn order(policy: &IpHash, address: &str, count: usize) -> Vec<u32> {
        let mut tried = Vec::new();
        while let Choice::Backend(next) = policy.pick_for(&bytes(address), &tried)
            && tried.len() < count
        {
            tried.push(next);
        }
        tried
    }

    #[test]
    fn a_network_stays_together_and_a_retry_moves_on() {
        let five = born(&[1; 5], &[]);
        assert_eq!(order(&five, "203.0.113.7", 1), [2]);
        assert_eq!(order(&five, "10.1.0.1", 5), [3, 2, 0, 1, 4]);
        assert_eq!(order(&five, "10.1.0.99", 5), [3, 2, 0, 1, 4]);
        assert_eq!(five.pick_for(&[], &[]), five.pick_for(&[0, 0, 0, 7], &[]));
        assert_eq!(five.pick_for(&bytes("10.1.0.1"), &[0, 1, 2, 3, 4]), Choice::Abstain);
    }

    #[test]
    fn only_the_clients_of_one_that_is_down_move() {
        let (all, without_2) = (born(&[3, 1, 2], &[]), born(&[3, 1, 2], &[1]));
        for network in 0..=255 {
            let address = format!("10.0.{network}.1");
            let moved = match order(&all, &address, 3)[..] {
                [1, next, _] | [next, ..] => {
                    if next == 2 {
                        1
                    } else {
                        0
                    }
                }
                _ => panic!("{address} has nowhere to go"),
            };
            assert_eq!(order(&without_2, &address, 1), [moved], "{address}");
        }
    }

    #[test]
    fn shares_of_any_networks_follow_the_weights() {
        let mut random = Random::new(9, &request(1));
        for weights in [&[1; 7][..], &[1, 2, 5]] {
            let policy = born(weights, &[]);
            let mut found = [vec![0; weights.len()], vec![0; weights.len()]];
            for _ in 0..40_000 {
                let [v6, v4] = [random.bits().to_be_bytes(), random.bits().to_be_bytes()];
                found[0][chosen(policy.pick_for(&v4[..4], &[])) as usize] += 1;
                found[1][chosen(policy.pick_for(&[v6, v4].concat(), &[])) as usize] += 1;
            }
            let shares: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            found.iter().for_each(|found| assert_shares(found, &shares));
        }
    }

    /// Recorded from nginx 1.22.1; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_nginx() {
        let csv = include_str!("../../../tests/vectors/nginx_ip_hash.csv");
        let equal = born(&[1; 5], &[]);
        let weighted = born(&[1, 2, 3, 4, 5], &[]);
        for row in rows(csv) {
            let found = [&equal, &weighted].map(|policy| order(policy, row[0], 1));
            assert_eq!(found, [numbers(row[1]), numbers(row[2])], "{}", row[0]);
        }
    }
}
