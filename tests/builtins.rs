//! The built-in policies as they ship, through the real boundary: the embedded components must
//! pick what nginx picked (`tests/vectors/README.md`), and import no more than they need. The
//! same tables are replayed without Wasm in each policy's own tests.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::{Arc, LazyLock};

use pointsman::policy::{Ask, BUILTINS, Birth, Choice, Engine, Facts, Instance, Limits, Policy, builtin};
use pointsman::stats::{BackendStats, InFlight, Outcome, Report, Verdict};
use pointsman::upstream::{Backend, Candidates};

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
        Self::over(name, options, candidates(weights, down))
    }

    fn over(name: &str, options: &str, candidates: Arc<Candidates>) -> Self {
        let instance = load(name).instantiate(birth(options, candidates)).unwrap();
        Self { instance, ask: Ask { now: 1, ..Ask::default() }, facts: Facts::default() }
    }

    fn pick(&mut self, tried: &[u32]) -> Choice {
        self.ask.attempt = tried.len() as u32;
        self.facts.tried = tried.into();
        self.instance.pick(&self.ask, &mut self.facts).unwrap()
    }

    /// The picks for a key, one after the other, while nothing is in flight.
    fn pick_for(&mut self, key: &str) -> Choice {
        self.facts.key = key.into();
        self.pick(&[])
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
    let server = |(slot, weight): (usize, &u32)| Backend {
        weight: *weight,
        down: down.contains(&slot),
        ..Backend::new(&name(slot), name(slot).parse().unwrap(), slot)
    };
    gathered(weights.iter().enumerate().map(server))
}

/// The name of a server of nginx's and HAProxy's tables.
fn name(slot: usize) -> String {
    format!("127.0.0.1:{}", 18100 + slot)
}

fn gathered(backends: impl Iterator<Item = Backend>) -> Arc<Candidates> {
    let backends: Vec<_> = backends.map(Arc::new).collect();
    Arc::new(Candidates::of("golden".into(), Arc::default(), &backends))
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

const KETAMA: [&str; 6] = [
    "request-info#key-bytes",
    "request-info#key-crc32",
    "request-info#tried",
    "stats#in-flight-of",
    "stats#in-flight-total",
    "upstream#members",
];

#[test]
fn no_built_in_imports_more_than_it_needs() {
    let needed = [
        (
            "adaptive",
            &[
                "request-info#tried",
                "stats#age",
                "stats#age-of",
                "stats#detail-of",
                "stats#failures",
                "stats#failures-of",
                "stats#in-flight",
                "stats#in-flight-of",
                "stats#latency",
                "stats#latency-of",
            ][..],
        ),
        ("p2c", &["request-info#tried", "stats#in-flight-of", "stats#latency-of"]),
        (
            "least_time",
            &["request-info#tried", "stats#age", "stats#failures", "stats#failures-of", "stats#in-flight"],
        ),
        ("peak_ewma", &["request-info#tried", "stats#in-flight-of"]),
        ("ketama", &KETAMA),
        (
            "maglev",
            &["request-info#key-bytes", "request-info#tried", "stats#in-flight-of", "stats#in-flight-total"],
        ),
        ("rendezvous", &["request-info#tried"]),
        ("weighted_report", &["request-info#tried", "stats#report-of"]),
        ("round_robin", &["request-info#tried"]),
        ("least_conn", &["request-info#tried", "stats#in-flight"]),
        ("random", &["request-info#tried", "stats#in-flight-of"]),
        ("ip_hash", &["request-info#client-address", "request-info#tried", "upstream#members"]),
        ("hash", &KETAMA),
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
        guest.ask.key = 7;
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
    let (mut equal, mut weighted) =
        (Guest::born("ketama", "{}", &[1; 5], &[]), Guest::born("ketama", "{}", &one_to_five, &[]));
    for row in rows(csv) {
        for (column, guest) in columns.iter_mut().enumerate() {
            let server = numbers(row[1 + column])[0];
            // Candidates are numbered without the one that is down.
            let expected = if column == 4 && server > 2 { server - 1 } else { server };
            assert_eq!(guest.pick_for(row[0]), Choice::Backend(expected), "{row:?}, column {column}");
        }
        assert_eq!(equal.pick_for(row[0]), backend(row[1]), "{row:?}");
        assert_eq!(weighted.pick_for(row[0]), backend(row[3]), "{row:?}");
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

/// The order in which `ketama` would ask the five servers, if it minded no bound.
fn ring_order(key: &str) -> Vec<u32> {
    let mut guest = Guest::born("ketama", "{}", &[1; 5], &[]);
    guest.facts.key = key.into();
    let mut order = Vec::new();
    while let Choice::Backend(next) = guest.pick(&order) {
        order.push(next);
    }
    order
}

/// What HAProxy lets each of five equal servers have in flight at a factor of 150
/// (`chash_server_is_eligible`, `src/lb_chash.c`).
fn slots(server: u32, in_flight: u32) -> u32 {
    let slots = ((in_flight + 1) * 150).div_ceil(100);
    let rest = slots % 5;
    (slots / 5 + (server + 1) * rest / 5 - server * rest / 5).max(1)
}

/// HAProxy's ring is another one than nginx's, which is ours, so its picks are not: what must agree
/// is the rule by which a key moves on. (Its picks are replayed in `policies/sdk/src/bound.rs`.)
#[test]
fn bounded_loads_move_keys_on_by_the_rule_of_haproxy() {
    let csv = include_str!("vectors/haproxy_bounded_load_traces.csv");
    for (name, options) in [("ketama", r#"{"bound":1.5}"#), ("hash", r#"{"consistent":true,"bound":1.5}"#)] {
        let mut guest = Guest::born(name, options, &[1; 5], &[]);
        let mut orders = std::collections::HashMap::new();
        let mut held = std::collections::HashMap::new();
        let mut moved = 0;
        for row in rows(csv) {
            let [_, step, operation, request, key, ..] = row[..] else { panic!("{row:?}") };
            if operation == "close" {
                held.remove(request);
                continue;
            }
            let order = orders.entry(key).or_insert_with(|| ring_order(key));
            let total = held.len() as u32;
            let free = |server: &&u32| guest.stats(**server).in_flight() < slots(**server, total);
            let expected = *order.iter().find(free).unwrap();
            moved += u32::from(expected != order[0]);
            assert_eq!(guest.pick_for(key), Choice::Backend(expected), "{name}, step {step}, {key}");
            held.insert(request, InFlight::begin(guest.stats(expected), 1));
        }
        assert!(moved > 20, "the bound was met: {moved}");
    }
}

/// The servers of the tables for Maglev.
fn maglev(count: usize, without: Option<usize>) -> Guest {
    let servers = (0..count).filter(|slot| Some(*slot) != without);
    let named = servers.map(|slot| (slot, format!("10.0.0.{}:8080", slot + 1)));
    let servers = named.map(|(slot, name)| Backend::new(&name, name.parse().unwrap(), slot));
    Guest::over("maglev", "{}", gathered(servers))
}

#[test]
fn maglev_sends_keys_where_the_definition_does() {
    let csv = include_str!("vectors/maglev_uri.csv");
    let (mut five, mut ten, mut nine) = (maglev(5, None), maglev(10, None), maglev(10, Some(4)));
    for row in rows(csv) {
        assert_eq!(five.pick_for(row[0]), backend(row[2]), "{row:?}");
        assert_eq!(ten.pick_for(row[0]), backend(row[3]), "{row:?}");
        let server = numbers(row[4])[0];
        let candidate = if server > 4 { server - 1 } else { server };
        assert_eq!(nine.pick_for(row[0]), Choice::Backend(candidate), "{row:?}");
    }
}

/// The mean that `peak_ewma` has of the first of two candidates, in microseconds: it says so.
fn mean_of_the_first(guest: &mut Guest) -> f64 {
    guest.pick(&[]);
    let why = guest.instance.explain(&guest.ask, &mut guest.facts).unwrap().unwrap();
    let (_, rest) = why.split_once("127.0.0.1:18100 costs ").unwrap();
    let (_, mean) = rest.split_once("(mean ").unwrap();
    mean.split_once("us)").unwrap().0.parse().unwrap()
}

#[test]
fn peak_ewma_estimates_as_finagle_and_linkerd() {
    let csv = include_str!("vectors/peak_ewma.csv");
    for (options, column) in [(r#"{"default_rtt":"0"}"#, 3), (r#"{"default_rtt":"30ms"}"#, 4)] {
        let mut guest = Guest::born("peak_ewma", options, &[1, 1], &[]);
        guest.pick(&[]);
        for row in rows(csv) {
            let micros = |field: &str| field.parse::<f64>().unwrap() * 1e6;
            let (now, total) = (micros(row[1]).round() as u64 + 1, micros(row[2]).round() as u32);
            let outcome =
                Outcome { verdict: Verdict::Success, status: 200, connect: 0, first_byte: 1, total, now };
            guest.instance.done(0, &outcome).unwrap();
            guest.ask.now = now;
            let (mean, expected) = (mean_of_the_first(&mut guest), micros(row[column]));
            assert!((mean - expected).abs() <= 1.0, "at {} s: {mean}, not {expected}", row[1]);
        }
    }
}

#[test]
fn weighted_report_shares_by_what_backends_report() {
    let mut guest = Guest::born("weighted_report", r#"{"blackout":0}"#, &[1, 1], &[]);
    for (index, requests) in [(0, 100_000), (1, 300_000)] {
        guest.stats(index).note_report(Report { load: 500_000, requests, errors: 0, at: 5 });
    }
    guest.instance.tick(6).unwrap();
    let mut shares = [0u32; 2];
    for _ in 0..4_000 {
        let Choice::Backend(index) = guest.pick(&[]) else { panic!("abstained") };
        shares[index as usize] += 1;
    }
    assert!(shares[0].abs_diff(1_000) < 10, "{shares:?}");
}

#[test]
fn adaptive_avoids_the_slow_the_stalled_and_the_failing() {
    let mut guest = Guest::born("adaptive", "{}", &[1; 4], &[]);
    let upstream = Arc::clone(&guest.instance.candidates().stats);
    guest.ask.now = 3_000_000;
    let ended = |verdict, total| Outcome {
        verdict,
        status: 200,
        connect: 0,
        first_byte: total,
        total,
        now: 3_000_000,
    };
    for (index, total) in [(0, 90_000), (1, 20_000), (2, 20_000), (3, 20_000)] {
        guest.stats(index).record(&ended(Verdict::Success, total), &upstream);
    }
    for _ in 0..20 {
        guest.stats(1).record(&ended(Verdict::ServerError, 100), &upstream);
    }
    let _stalled = InFlight::begin(guest.stats(2), 1);
    let _busy = InFlight::begin(guest.stats(3), 2_999_000);
    for random in 0..50 {
        guest.ask.random = random << 20;
        assert_eq!(guest.pick(&[]), Choice::Backend(3), "20 ms behind one, squared, is less than 90 ms");
    }
    let why = guest.instance.explain(&guest.ask, &mut guest.facts).unwrap().unwrap();
    assert!(why.starts_with("127.0.0.1:18103 80000"), "{why}");
}

/// The keys of a hash that are not those of the one that goes, and yet move, of 3,000.
fn needless_moves(policy: &str, options: &str) -> u32 {
    let (mut all, mut fewer) =
        (Guest::born(policy, options, &[1; 10], &[]), Guest::born(policy, options, &[1; 10], &[9]));
    let moves = |number: u32| {
        let key = format!("/item/{number}");
        let hash = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for guest in [&mut all, &mut fewer] {
            guest.ask.key = hash | 1;
            guest.facts.client = Some(std::net::IpAddr::from((number * 773).to_be_bytes()));
        }
        let (before, after) = (all.pick_for(&key), fewer.pick_for(&key));
        assert_ne!(after, Choice::Backend(9), "{policy}, {key}");
        u32::from(before != Choice::Backend(9) && before != after)
    };
    (0..3_000).map(moves).sum()
}

#[test]
fn when_one_of_ten_goes_hardly_any_other_key_moves() {
    for (policy, options, most) in [
        ("hash", "{}", 0),
        ("hash", r#"{"consistent":true}"#, 0),
        ("ip_hash", "{}", 0),
        ("ketama", "{}", 0),
        ("rendezvous", "{}", 0),
        ("maglev", "{}", 30),
    ] {
        let moved = needless_moves(policy, options);
        assert!(moved <= most, "{policy} {options}: {moved} of about 2,700");
    }
}
