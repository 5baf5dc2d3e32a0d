//! Whole runs of small scenarios.

use std::sync::{Arc, LazyLock};

use super::*;
use crate::policy::{Engine, Policy, builtin};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

fn contestant(name: &str, options: &str) -> Contestant {
    let policy = Policy::load(&ENGINE, name, builtin(name).unwrap().bytes).unwrap();
    Contestant { policy, options: options.into(), label: name.into() }
}

fn guest(text: &str) -> Contestant {
    let path = format!("{}/../tests/guests/{text}.wat", env!("CARGO_MANIFEST_DIR"));
    let policy = Policy::load(&ENGINE, text, &std::fs::read(path).unwrap()).unwrap();
    Contestant { policy, options: "{}".into(), label: text.into() }
}

fn scenario(lines: &str) -> Scenario {
    Scenario::parse("test", &format!("about = \"a test\"\n{lines}")).unwrap()
}

fn simulate(scenario: &Scenario, policy: &str) -> Outcome {
    run(scenario, &contestant(policy, "{}"), None, 1).unwrap()
}

#[test]
fn one_queue_behaves_as_theory_says() {
    // M/M/1 at 80 %: the mean time in the system is 20 ms / (1 - 0.8) = 100 ms.
    let single = scenario("requests = 150_000\nnetwork = \"0ms\"\n[arrivals]\nload = 0.8\n[[backend]]");
    let outcome = simulate(&single, "round_robin");
    assert!((90.0..110.0).contains(&outcome.mean_ms), "{}", outcome.mean_ms);
    assert!((outcome.backends[0].utilisation - 0.8).abs() < 0.02, "{:?}", outcome.backends);
}

#[test]
fn the_same_seed_gives_the_same_outcome_to_the_last_digit() {
    let busy = scenario(
        "requests = 3_000\ngateways = 2\nworkers = 2\n[arrivals]\nload = 0.8\n[[backend]]\nnumber = 5\n\
         stalls = { every = \"1s\", pause = \"50ms\" }\njumps = { every = \"1s\", speeds = [1.0, 0.5] }",
    );
    let json = |seed| {
        let outcome = run(&busy, &contestant("random", "{\"choices\":2}"), None, seed).unwrap();
        serde_json::to_string(&outcome).unwrap()
    };
    assert_eq!(json(1), json(1));
    assert_ne!(json(1), json(2));
}

#[test]
fn round_robin_gives_each_its_weight() {
    let weighted = scenario(
        "requests = 4_000\nwarm_up = 0.0\n[arrivals]\nload = 0.3\n[[backend]]\nweight = 3\n[[backend]]\nspeed = 1.0",
    );
    let outcome = simulate(&weighted, "round_robin");
    assert_eq!(outcome.backends.iter().map(|b| b.attempts).collect::<Vec<_>>(), [3_000, 1_000]);
}

#[test]
fn who_sees_the_load_spares_the_slow_backend() {
    let uneven = scenario(
        "requests = 8_000\n[arrivals]\nload = 0.7\n[[backend]]\nspeed = 4.0\n[[backend]]\nspeed = 1.0",
    );
    let (blind, seeing) = (simulate(&uneven, "round_robin"), simulate(&uneven, "least_conn"));
    assert!(blind.p99_ms > 3.0 * seeing.p99_ms, "{} {}", blind.p99_ms, seeing.p99_ms);
}

#[test]
fn a_failing_backend_shows_as_errors_and_a_dead_one_costs_a_retry() {
    let with = |trouble: &str| {
        scenario(&format!(
            "requests = 4_000\ntries = 2\n[arrivals]\nload = 0.3\n[[backend]]\nnumber = 3\n[[backend]]\n{trouble}"
        ))
    };
    let failing = simulate(&with("fails = { how = \"error\" }"), "round_robin");
    assert!((failing.errors - 0.25).abs() < 0.01, "{}", failing.errors);
    let dead = simulate(&with("fails = { how = \"refuse\" }"), "round_robin");
    assert_eq!(dead.errors, 0.0, "{:?}", dead.ends);
    assert!(dead.retries > 900, "{}", dead.retries);
    let hanging = simulate(&with("fails = { how = \"hang\" }"), "round_robin");
    assert_eq!(hanging.errors, 0.0, "{:?}", hanging.ends);
    assert!(hanging.p99_ms > 5_000.0, "the timeout was waited for: {}", hanging.p99_ms);
}

#[test]
fn keys_of_a_hash_stay_and_only_those_of_a_lost_backend_move() {
    let churn = scenario(
        "requests = 10_000\n[arrivals]\nload = 0.3\n[keys]\nnumber = 200\n[[backend]]\nnumber = 9\n\
         [[backend]]\nleaves = { at = \"33%\", back = \"66%\" }",
    );
    let ring = run(&churn, &contestant("hash", "{\"consistent\":true}"), None, 1).unwrap();
    let blind = simulate(&churn, "random");
    assert!(ring.moved > 0.0 && ring.moved < 0.01, "{}", ring.moved);
    assert!(blind.moved > 0.8, "{}", blind.moved);
}

#[test]
fn affinity_fills_caches() {
    let cached = scenario(
        "requests = 20_000\n[arrivals]\nload = 0.9\n[keys]\nnumber = 1000\n[[backend]]\nnumber = 5\n\
         cache = { entries = 300, hit = 0.1 }",
    );
    let (ring, blind) = (simulate(&cached, "hash"), simulate(&cached, "random"));
    assert!(ring.mean_ms * 2.0 < blind.mean_ms, "{} {}", ring.mean_ms, blind.mean_ms);
}

#[test]
fn a_closed_loop_never_has_more_in_flight_than_clients() {
    let closed = scenario(
        "requests = 2_000\nnetwork = \"0ms\"\n[arrivals]\nclients = 4\n[work]\nlaw = \"fixed\"\n[[backend]]\n",
    );
    let outcome = simulate(&closed, "round_robin");
    assert!((outcome.p99_ms - 80.0).abs() < 1.0, "four share one core: {}", outcome.p99_ms);
}

#[test]
fn a_policy_that_fails_is_mended_and_then_in_quarantine() {
    let plain = scenario("requests = 1_000\n[arrivals]\nload = 0.5\n[[backend]]\nnumber = 3");
    let outcome = run(&plain, &guest("traps"), None, 1).unwrap();
    assert_eq!((outcome.errors, outcome.faults), (0.0, 5));
    assert_eq!(outcome.fallbacks, 1_000);
    assert!(outcome.last_fault.is_some());
}

#[test]
fn a_policy_that_refuses_its_options_is_an_error() {
    let plain = scenario("[arrivals]\nload = 0.5\n[[backend]]");
    let error = run(&plain, &contestant("random", "{\"choices\":0}"), None, 1).unwrap_err();
    assert!(error.contains("`random`") && error.contains("choices"), "{error}");
}

#[test]
fn a_log_says_when_requests_come() {
    let line = |second: u32| {
        format!(
            "192.0.2.1 - - [10/Oct/2026:13:55:{second:02} +0000] \"GET /{second} HTTP/1.1\" 200 1 \"-\" \"-\"\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, (0..50).map(line).collect::<String>()).unwrap();
    let trace = Trace::read(&path).unwrap();
    let logged = scenario("warm_up = 0.0\n[arrivals]\nfile = \"access.log\"\n[[backend]]\nnumber = 2");
    let outcome = run(&logged, &contestant("round_robin", "{}"), Some(&trace), 1).unwrap();
    assert_eq!((outcome.requests, outcome.seconds as u64), (50, 49));
}

#[test]
fn what_is_wrong_with_a_scenario_is_said_with_its_place() {
    let error = |text: &str| Scenario::parse("test", text).unwrap_err();
    let text = error("about = \"x\"\nrequsts = 1\n[arrivals]\nload = 1.0\n[[backend]]\n");
    assert!(text.contains("line 2") && text.contains("requsts"), "{text}");
    let text = error("about = \"x\"\n[arrivals]\nload = 1.0\nrate = 1.0\n[[backend]]\n");
    assert!(text.contains("exactly one of"), "{text}");
    let text = error("about = \"x\"\n[arrivals]\nload = 1.0\n[work]\nmean = \"20\"\n[[backend]]\n");
    assert!(text.contains("`20` is not a span"), "{text}");
    let text = error("about = \"x\"\n[arrivals]\nload = 1.0\n[[backend]]\n[[backend]]\nspeed = 0.0\n");
    assert!(text.contains("`[[backend]]` number 2: `speed` must be more than 0"), "{text}");
}

#[test]
fn a_comparison_is_shown_side_by_side() {
    let plain = scenario("requests = 1_000\n[arrivals]\nload = 0.5\n[[backend]]\nnumber = 3");
    let outcomes = ["round_robin", "least_conn"].map(|policy| simulate(&plain, policy)).to_vec();
    let comparison = Comparison { scenario: "test".into(), about: "a < b".into(), seed: 1, outcomes };
    let table = table(&comparison);
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.contains("round_robin") && table.contains("p99.9 ms"), "{table}");
    let drawing = svg(&comparison);
    assert_eq!(drawing.matches("<polyline").count(), 2);
    assert!(drawing.contains("a &lt; b"));
}

#[test]
fn contestants_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Policy>>();
    shared::<Contestant>();
    shared::<Trace>();
}
