//! By the key that the upstream's `hash_key` makes of a request, by a table: Google's Maglev,
//! entry for entry as Envoy builds it.
//!
//! Each backend prefers the entries of a table in an order of its own and they take turns; a key
//! belongs to the entry that its hash names. So the shares are as even as can be, a pick is one
//! look, and when a backend goes hardly any key moves but its own. With a bound a key goes on to
//! other entries while the backend that it meets has more than its share in flight.

mod table;

use pointsman_policy::{Backend, Bound, Choice, Policy, Request, export, request};
use serde::Deserialize;
use xxhash_rust::xxh64::xxh64;

/// Largest table: 10 MB. Envoy has the same limit.
const TABLE_MAX: u32 = 5_000_011;
/// After so many other entries the backends are gone through one by one.
const ENTRIES: u64 = 32;
/// Backends are numbered by 16 bits, one number of which means nobody.
const BACKENDS_MAX: usize = 65_535;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Entries of the table, a prime number; 0: as many as the backends need.
    table: u32,
    /// How many times its share a backend may have in flight; 0: as much as comes.
    bound: f64,
}

struct Maglev {
    table: Vec<u16>,
    bound: Option<Bound>,
    count: u64,
}

impl Maglev {
    /// The first candidate for this hash of which `fits` is true. A further attempt has another
    /// hash, as Envoy makes it; in the end everybody is asked.
    fn find(&self, hash: u64, fits: impl Fn(u32) -> bool) -> Option<u32> {
        let entry = |attempt: u64| {
            let hash = hash ^ attempt.wrapping_neg();
            self.table.get((hash % self.table.len().max(1) as u64) as usize).map(|number| u32::from(*number))
        };
        let everybody = (0..self.count).map(|number| ((hash % self.count + number) % self.count) as u32);
        (0..ENTRIES).filter_map(entry).chain(everybody).find(|candidate| fits(*candidate))
    }

    fn choose(&self, key: &[u8], tried: &[u32]) -> Option<u32> {
        let hash = xxh64(key, 0);
        let new = |candidate: u32| tried.is_empty() || !tried.contains(&candidate);
        let bounded = self.bound.as_ref().and_then(|bound| {
            let free = bound.free();
            self.find(hash, |candidate| new(candidate) && free(candidate))
        });
        bounded.or_else(|| self.find(hash, new))
    }
}

impl Policy for Maglev {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        let size = if options.table == 0 { table::size_for(backends.len()) } else { options.table };
        if size > TABLE_MAX || !table::is_prime(size) {
            return Err(format!("table: expected a prime number up to {TABLE_MAX}, as 65537; found {size}"));
        }
        if backends.len() > BACKENDS_MAX.min(size as usize) {
            let count = backends.len();
            return Err(format!(
                "table: {size} entries are too few for {count} backends (at most {BACKENDS_MAX})"
            ));
        }
        let bound = Bound::new(options.bound, &backends)?;
        let named: Vec<(&str, u32)> = backends.iter().map(|b| (b.name.as_str(), b.weight)).collect();
        Ok(Self { table: table::table(&named, size), bound, count: backends.len() as u64 })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let key = request::key_bytes();
        // Without a key there is nothing to go by, and all requests would meet at one backend.
        if key.is_empty() {
            return Choice::Abstain;
        }
        self.choose(&key, &request::tried(request)).map_or(Choice::Abstain, Choice::Backend)
    }
}

export!(Maglev);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{
        assert_shares, backend, backends, chosen, gateway, numbers, policy, request, retry, rows,
    };
    use pointsman_policy::{Backend, Choice, Policy};

    use super::Maglev;

    /// The hosts of the golden vectors.
    fn hosts(count: u32) -> Vec<Backend> {
        (1..=count).map(|number| backend(&format!("10.0.0.{number}:8080"), 1)).collect()
    }

    fn born(options: &str, backends: Vec<Backend>) -> Maglev {
        policy(options, backends).expect("options that exist")
    }

    fn pick(policy: &mut Maglev, key: &str) -> u32 {
        gateway(|gateway| gateway.key = key.into());
        chosen(policy.pick(&request(0)))
    }

    /// Computed from the definition; see `tests/vectors/README.md`.
    #[test]
    fn keys_go_where_the_definition_sends_them() {
        let csv = include_str!("../../../tests/vectors/maglev_uri.csv");
        let (mut five, mut ten) = (born("{}", hosts(5)), born("{}", hosts(10)));
        let mut without_4 = hosts(10);
        without_4.remove(4);
        let mut nine = born("{}", without_4);
        for row in rows(csv) {
            assert_eq!(pick(&mut five, row[0]), numbers(row[2])[0], "{row:?}");
            assert_eq!(pick(&mut ten, row[0]), numbers(row[3])[0], "{row:?}");
            let candidate = pick(&mut nine, row[0]);
            let server = if candidate < 4 { candidate } else { candidate + 1 };
            assert_eq!(server, numbers(row[4])[0], "{row:?}");
        }
    }

    #[test]
    fn shares_follow_the_weights() {
        let mut policy = born("{}", backends(&[1, 2, 4]));
        let mut found = [0; 3];
        for number in 0..70_000 {
            found[pick(&mut policy, &format!("/item/{number}")) as usize] += 1;
        }
        assert_shares(&found, &[1.0, 2.0, 4.0]);
    }

    #[test]
    fn hardly_any_key_moves_but_those_of_one_that_is_gone() {
        let (mut all, mut fewer) = (born("{}", backends(&[1; 20])), born("{}", backends(&[1; 19])));
        let mut moved = 0;
        for number in 0..20_000 {
            let key = format!("/item/{number}");
            let (before, after) = (pick(&mut all, &key), pick(&mut fewer, &key));
            moved += u32::from(before != 19 && before != after);
        }
        assert!(moved < 200, "{moved} of 19,000: less than 1 %");
    }

    #[test]
    fn a_popular_key_cannot_drown_anybody() {
        let mut policy = born(r#"{"bound":1.5}"#, hosts(10));
        gateway(|gateway| gateway.in_flight = vec![0; 10]);
        for _ in 0..200 {
            let index = pick(&mut policy, "/popular") as usize;
            gateway(|gateway| gateway.in_flight[index] += 1);
        }
        let in_flight = gateway(|gateway| gateway.in_flight.clone());
        assert!(in_flight.iter().all(|count| *count <= 31), "1.5 times 20 and one: {in_flight:?}");
    }

    #[test]
    fn retries_reach_everybody() {
        let mut policy = born("{}", hosts(40));
        gateway(|gateway| gateway.key = b"/u/0".to_vec());
        let mut tried = Vec::new();
        while let Choice::Backend(next) = retry(&mut policy, &tried) {
            assert!(!tried.contains(&next));
            tried.push(next);
        }
        assert_eq!(tried.len(), 40);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (options, expected) in [
            (r#"{"table":65536}"#, "table: expected a prime number up to 5000011, as 65537; found 65536"),
            (r#"{"table":2}"#, "table: 2 entries are too few for 3 backends (at most 65535)"),
            (r#"{"bound":0.9}"#, "bound: expected 0 (none), or a factor from 1.01 to 1000, as 1.25"),
        ] {
            assert_eq!(policy::<Maglev>(options, hosts(3)).err().as_deref(), Some(expected));
        }
    }
}
