//! The built-in policies as they ship, through the real boundary: the embedded components must
//! pick what nginx picked (`tests/vectors/README.md`), and import no more than they need. The
//! same tables are replayed without Wasm in each policy's own tests.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::{Arc, LazyLock};

use pointsman::policy::{Ask, BUILTINS, Birth, Choice, Engine, Facts, Instance, Limits, Policy, builtin};
use pointsman::stats::{BackendStats, InFlight, Outcome, UpstreamStats, Verdict};
use pointsman::upstream::{Backend, Candidates, Resolver};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

/// An instance, and the request that it picks for.
struct Guest {
    instance: Instance,
    ask: Ask,
    facts: Facts,
}

impl Guest {
    /// A built-in policy over servers `127.0.0.1:18100` and on, of which some are `down`.
    fn born(name: &str, options: &str, weights: &[u32], down: &[usize]) -> Self {
        let candidates = candidates(weights, down);
        let instance = load(name).instantiate(birth(options, candidates)).unwrap();
        Self { instance, ask: Ask { now: 1, ..Ask::default() }, facts: Facts::default() }
    }

    fn pick(&mut self, tried: &[u32]) -> Choice {
        self.ask.attempt = tried.len() as u32;
        self.facts.tried = tried.into();
        self.instance.pick(&self.ask, &mut self.facts).unwrap()
    }

    fn stats(&self, index: u32) -> Arc<BackendStats> {
        Arc::clone(&self.instance.candidates().backends[index as usize].stats)
    }
}

fn load(name: &str) -> Arc<Policy> {
    Policy::load(&ENGINE, name, builtin(name).unwrap().bytes).unwrap()
}

fn birth(options: &str, candidates: Arc<Candidates>) -> Birth<'_> {
    Birth { options, candidates, seed: 7, state: None, limits: Limits::default() }
}

fn candidates(weights: &[u32], down: &[usize]) -> Arc<Candidates> {
    let backend = |(slot, weight): (usize, &u32)| {
        let name = format!("127.0.0.1:{}", 18100 + slot);
        let address = name.parse().unwrap();
        Arc::new(Backend {
            resolver: Resolver::new(&address),
            address,
            name: name.into(),
            weight: *weight,
            backup: false,
            down: down.contains(&slot),
            zone: None,
            labels: Vec::new(),
            stats: Arc::new(BackendStats::default()),
            slot,
        })
    };
    let backends: Vec<_> = weights.iter().enumerate().map(backend).collect();
    Arc::new(Candidates::of("golden".into(), Arc::new(UpstreamStats::default()), &backends))
}

/// The rows of a table, without its heading.
fn rows(csv: &str) -> impl Iterator<Item = Vec<&str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect())
}

fn numbers(field: &str) -> Vec<u32> {
    field.split(' ').map(|word| word.parse().unwrap()).collect()
}

fn backend(field: &str) -> Choice {
    Choice::Backend(numbers(field)[0])
}

#[test]
fn no_built_in_imports_more_than_it_needs() {
    let needed = [
        ("round_robin", &["request-info#tried"][..]),
        ("least_conn", &["request-info#tried", "stats#in-flight"]),
        ("random", &["request-info#tried", "stats#in-flight-of"]),
        ("ip_hash", &["request-info#client-address", "request-info#tried", "upstream#members"]),
        (
            "hash",
            &["request-info#key-bytes", "request-info#key-crc32", "request-info#tried", "upstream#members"],
        ),
        (
            "fair",
            &[
                "request-info#tried",
                "stats#failures",
                "stats#failures-of",
                "stats#in-flight",
                "stats#latency",
            ],
        ),
    ];
    for builtin in BUILTINS {
        let policy = load(builtin.name);
        let imports: Vec<_> = policy.imports().iter().filter(|name| &***name != "log#write").collect();
        let (_, expected) = needed.iter().find(|(name, _)| *name == builtin.name).unwrap();
        assert_eq!(imports.iter().map(|name| &***name).collect::<Vec<_>>(), *expected, "{}", builtin.name);
    }
}

#[test]
fn options_that_do_not_exist_are_refused_by_name() {
    for builtin in BUILTINS {
        let born = load(builtin.name).instantiate(birth(r#"{"chioces":2}"#, candidates(&[1, 1], &[])));
        let error = born.err().unwrap().to_string();
        assert!(error.contains("there is no option `chioces`"), "{}: {error}", builtin.name);
    }
}

#[test]
fn when_everybody_was_tried_nobody_is_picked() {
    for builtin in BUILTINS {
        let mut guest = Guest::born(builtin.name, "{}", &[1, 2, 1], &[]);
        guest.facts.key = b"/u/0".to_vec();
        assert_eq!(guest.pick(&[2, 0, 1]), Choice::Abstain, "{}", builtin.name);
        assert_eq!(guest.pick(&[2, 0]), Choice::Backend(1), "{}", builtin.name);
    }
}

#[test]
fn round_robin_keeps_the_order_of_nginx() {
    let csv = include_str!("vectors/nginx_wrr_order.csv");
    let mut guests: Vec<(&str, Guest)> = Vec::new();
    for row in rows(csv) {
        let [set, weights, pick, expected] = row[..] else { panic!("{row:?}") };
        if guests.last().is_none_or(|(last, _)| *last != set) {
            guests.push((set, Guest::born("round_robin", r#"{"start":"first"}"#, &numbers(weights), &[])));
        }
        let (_, guest) = guests.last_mut().unwrap();
        assert_eq!(guest.pick(&[]), backend(expected), "{set}, pick {pick}");
    }
}

#[test]
fn round_robin_retries_as_nginx() {
    let csv = include_str!("vectors/nginx_max_fails_traces.csv");
    let mut guest = Guest::born("round_robin", r#"{"start":"first"}"#, &[2, 1], &[]);
    for row in rows(csv).filter(|row| row[0] == "mf0" && row[2] == "req") {
        let tried = numbers(row[3]);
        for (attempt, expected) in tried.iter().enumerate() {
            assert_eq!(guest.pick(&tried[..attempt]), Choice::Backend(*expected), "at {} s", row[1]);
        }
    }
}

#[test]
fn least_conn_follows_the_traces_of_nginx() {
    let csv = include_str!("vectors/nginx_least_conn_traces.csv");
    for (set, weights) in [("lc_eq3", [1, 1, 1]), ("lc_w321", [3, 2, 1])] {
        let mut guest = Guest::born("least_conn", "{}", &weights, &[]);
        let mut held = std::collections::HashMap::new();
        for row in rows(csv).filter(|row| row[0] == set) {
            let [_, step, operation, request, server, _] = row[..] else { panic!("{row:?}") };
            if operation == "open" {
                assert_eq!(guest.pick(&[]), backend(server), "{set}, step {step}");
                held.insert(request, InFlight::begin(guest.stats(numbers(server)[0]), 1));
            } else {
                held.remove(request);
            }
        }
    }
}

#[test]
fn ip_hash_sends_clients_where_nginx_does() {
    let csv = include_str!("vectors/nginx_ip_hash.csv");
    let mut equal = Guest::born("ip_hash", "{}", &[1; 5], &[]);
    let mut weighted = Guest::born("ip_hash", "{}", &[1, 2, 3, 4, 5], &[]);
    for row in rows(csv) {
        for (guest, expected) in [(&mut equal, row[1]), (&mut weighted, row[2])] {
            guest.facts.client = Some(row[0].parse().unwrap());
            assert_eq!(guest.pick(&[]), backend(expected), "{}", row[0]);
        }
    }
}

#[test]
fn hash_sends_keys_where_nginx_does() {
    let csv = include_str!("vectors/nginx_hash_uri.csv");
    let (plain, consistent) = ("{}", r#"{"consistent":true}"#);
    let one_to_five = [1, 2, 3, 4, 5];
    let mut columns = [
        Guest::born("hash", consistent, &[1; 5], &[]),
        Guest::born("hash", plain, &[1; 5], &[]),
        Guest::born("hash", consistent, &one_to_five, &[]),
        Guest::born("hash", plain, &one_to_five, &[]),
        Guest::born("hash", consistent, &[1; 5], &[2]),
    ];
    for row in rows(csv) {
        for (column, guest) in columns.iter_mut().enumerate() {
            let server = numbers(row[1 + column])[0];
            // Candidates are numbered without the one that is down.
            let expected = if column == 4 && server > 2 { server - 1 } else { server };
            guest.facts.key = row[0].into();
            assert_eq!(guest.pick(&[]), Choice::Backend(expected), "{row:?}, column {column}");
        }
    }
}

#[test]
fn hash_retries_as_nginx() {
    for (options, order) in [("{}", [2, 0, 4, 1, 3]), (r#"{"consistent":true}"#, [3, 4, 0, 2, 1])] {
        let mut guest = Guest::born("hash", options, &[1; 5], &[]);
        guest.facts.key = b"/u/0".to_vec();
        for attempt in 0..order.len() {
            assert_eq!(guest.pick(&order[..attempt]), Choice::Backend(order[attempt]), "{options}");
        }
    }
}

#[test]
fn random_shares_by_weight_and_avoids_the_busy() {
    let mut guest = Guest::born("random", r#"{"choices":2}"#, &[1, 2, 4], &[]);
    let _busy: Vec<_> = (0..8).map(|_| InFlight::begin(guest.stats(2), 1)).collect();
    let mut shares = [0u32; 3];
    for random in 0..7_000 {
        guest.ask.random = random;
        let Choice::Backend(index) = guest.pick(&[]) else { panic!("abstained") };
        shares[index as usize] += 1;
    }
    // With 8 in flight for a weight of 4 the last loses against either; of two idle ones the
    // first draw stays. So the first has 1/7 + 4/7 x 1/3, the second 2/7 + 4/7 x 2/3.
    assert!(shares[2] == 0 && shares[0].abs_diff(2_333) < 160, "{shares:?}");
}

#[test]
fn fair_prefers_the_fast_the_idle_and_the_working() {
    let mut guest = Guest::born("fair", "{}", &[1, 1, 1], &[]);
    let upstream = Arc::clone(&guest.instance.candidates().stats);
    let ended =
        |verdict, total| Outcome { verdict, status: 200, connect: 0, first_byte: total, total, now: 1 };
    for (index, total) in [(0, 3_000), (1, 1_000), (2, 2_000)] {
        guest.stats(index).record(&ended(Verdict::Success, total), &upstream);
    }
    assert_eq!(guest.pick(&[]), Choice::Backend(1), "the fast one");

    let busy = [InFlight::begin(guest.stats(1), 1), InFlight::begin(guest.stats(1), 1)];
    assert_eq!(guest.pick(&[]), Choice::Backend(2), "2,000 us idle against 1,000 us behind two");

    drop(busy);
    for _ in 0..50 {
        guest.stats(1).record(&ended(Verdict::ConnectFailed, 10), &upstream);
    }
    assert_eq!(guest.pick(&[]), Choice::Backend(2), "the fast one fails");
}
