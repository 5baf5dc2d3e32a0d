//! By the key that the upstream's `hash_key` makes of a request: each backend throws a die that
//! only key and backend decide, and the highest throw has the key.
//!
//! Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996; the weights as in
//! Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005: with u uniform between
//! 0 and 1 the least -ln(u) / weight wins. No table, and no key moves that need not: when a
//! backend comes or goes, or changes its weight, only the keys that it wins or loses do.

use pointsman_policy::{Backend, Choice, NoOptions, Policy, Request, export, request};
use xxhash_rust::xxh64::xxh64;

struct Rendezvous {
    /// The hash of each candidate's name, and its weight.
    candidates: Vec<(u64, f64)>,
}

/// A throw between 0 and 1, neither included, that key and backend decide: their hashes together,
/// through the finisher of SplitMix64.
fn throw(key: u64, backend: u64) -> f64 {
    let mut z = key ^ backend;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    ((z >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

impl Rendezvous {
    fn choose(&self, key: u64, tried: &[u32]) -> Option<u32> {
        let mut best = None;
        let mut least = f64::INFINITY;
        for (index, (backend, weight)) in (0u32..).zip(&self.candidates) {
            let throw = throw(key, *backend);
            // -ln(u) is never below 1 - u: most need no logarithm to lose.
            if (1.0 - throw) >= least * weight || tried.contains(&index) {
                continue;
            }
            let height = -throw.ln() / weight;
            if height < least {
                (best, least) = (Some(index), height);
            }
        }
        best
    }
}

impl Policy for Rendezvous {
    type Options = NoOptions;

    fn new(_: NoOptions, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        let candidate = |backend: &Backend| (xxh64(backend.name.as_bytes(), 0), f64::from(backend.weight));
        Ok(Self { candidates: backends.iter().map(candidate).collect() })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        // Without a key there is nothing to go by, and all requests would meet at one backend.
        if request.key == 0 {
            return Choice::Abstain;
        }
        self.choose(request.key, &request::tried(request)).map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(Rendezvous);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{assert_shares, backends, policy, request};
    use pointsman_policy::{Choice, Policy, Random};

    use super::Rendezvous;

    fn born(weights: &[u32]) -> Rendezvous {
        policy("{}", backends(weights)).expect("no options")
    }

    /// So many keys, always the same.
    fn keys(count: usize) -> impl Iterator<Item = u64> {
        let mut random = Random::new(9, &request(1));
        std::iter::repeat_with(move || random.bits() >> 11).take(count)
    }

    #[test]
    fn shares_follow_the_weights() {
        for weights in [&[1; 7][..], &[1, 2, 4], &[65535, 65535, 1], &[1]] {
            let policy = born(weights);
            let mut found = vec![0; weights.len()];
            for key in keys(50_000) {
                found[policy.choose(key, &[]).expect("somebody") as usize] += 1;
            }
            assert_shares(&found, &weights.iter().map(|weight| f64::from(*weight)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn only_the_keys_of_one_that_is_gone_move() {
        let (all, fewer) = (born(&[3; 10]), born(&[3; 9]));
        for key in keys(10_000) {
            let (before, after) = (all.choose(key, &[]), fewer.choose(key, &[]));
            assert!(before == Some(9) || after == before, "{key}");
        }
    }

    #[test]
    fn more_weight_only_attracts() {
        let (before, after) = (born(&[1, 1, 1]), born(&[1, 2, 1]));
        for key in keys(10_000) {
            let (old, new) = (before.choose(key, &[]), after.choose(key, &[]));
            assert!(old == new || new == Some(1), "{key}");
        }
    }

    #[test]
    fn a_retry_goes_where_the_key_would_go_without_who_was_tried() {
        let (all, fewer) = (born(&[1; 5]), born(&[1; 4]));
        for key in keys(2_000) {
            assert_eq!(all.choose(key, &[4]), fewer.choose(key, &[]), "{key}");
        }
        assert_eq!(all.choose(7, &[0, 1, 2, 3, 4]), None);
    }

    #[test]
    fn without_a_key_the_gateway_decides() {
        assert_eq!(born(&[1, 1]).pick(&request(0)), Choice::Abstain);
    }
}
