use pointsman_policy::stats::Detail;
use pointsman_policy::testing::{assert_shares, backends, chosen, detail, gateway, policy, request, retry};
use pointsman_policy::{Choice, Explain, Policy, Random, Request};

use super::Adaptive;
use super::seen::penalty;

/// Without hot and cold, so that only waits decide.
const PLAIN: &str = r#"{"hot_quantile":1}"#;

fn born(options: &str, weights: &[u32]) -> Adaptive {
    policy(options, backends(weights)).expect("options that exist")
}

fn measured(latency: &[u32], in_flight: &[u32], age: &[u32], failures: &[u32]) {
    gateway(|gateway| {
        gateway.latency = latency.to_vec();
        gateway.in_flight = in_flight.to_vec();
        gateway.age = age.to_vec();
        gateway.failures = failures.to_vec();
    });
}

#[test]
fn the_least_cost_is_picked() {
    for (weights, latency, in_flight, age, failures, expected) in [
        (&[1][..], &[500][..], &[3][..], &[0][..], &[0][..], 0),
        // Equal but for response time, load, weight.
        (&[1, 1, 1], &[3_000, 2_000, 1_000], &[0; 3], &[0; 3], &[0; 3], 2),
        (&[1, 1, 1], &[100; 3], &[3, 2, 1], &[0; 3], &[0; 3], 2),
        (&[1, 2, 4], &[100; 3], &[1; 3], &[0; 3], &[0; 3], 2),
        // Fast so far, but what it has now takes long.
        (&[1, 1], &[100, 200], &[1, 1], &[900, 10], &[0; 2], 1),
        // Fast because it fails.
        (&[1, 1], &[100, 1_000], &[0; 2], &[0; 2], &[165_000, 0], 1),
        (&[1, 1], &[100, 1_000], &[0; 2], &[0; 2], &[155_000, 0], 0),
        // One more in flight weighs more than half the response time, up to four times less does not.
        (&[1, 1], &[100, 210], &[1, 0], &[0; 2], &[0; 2], 1),
        (&[1, 1], &[100, 410], &[1, 0], &[0; 2], &[0; 2], 0),
        // Half the age counts.
        (&[1, 1], &[100, 200], &[1, 1], &[390, 10], &[0; 2], 0),
        (&[1, 1], &[100, 200], &[1, 1], &[410, 10], &[0; 2], 1),
        // All stall or fail: the least bad, although it looked worst at first.
        (&[1; 4], &[100, 101, 102, 103], &[1; 4], &[9_000, 8_000, 7_000, 200], &[0; 4], 3),
        (&[1, 65535], &[1 << 30; 2], &[1 << 30; 2], &[1 << 30; 2], &[1_000_000; 2], 1),
    ] {
        measured(latency, in_flight, age, failures);
        let mut policy = born(PLAIN, weights);
        let picks: Vec<_> = (0..20).map(|random| policy.pick(&request(random << 20))).collect();
        assert_eq!(
            picks,
            vec![Choice::Backend(expected); 20],
            "{latency:?} {in_flight:?} {age:?} {failures:?}"
        );
    }
}

#[test]
fn where_nothing_waits_weights_decide_among_those_that_are_as_good() {
    for latency in [[0, 0, 0, 0], [20_000, 24_000, 21_000, 60_000], [100, 500, 300, 700]] {
        measured(&latency, &[0; 4], &[0; 4], &[0; 4]);
        let mut policy = born("{}", &[1, 2, 3, if latency[3] == 0 { 2 } else { 9 }]);
        let mut picks = [0; 4];
        (0..20_000).for_each(|n| picks[chosen(policy.pick(&request(n << 16))) as usize] += 1);
        let expected = if latency[3] == 0 { [1.0, 2.0, 3.0, 2.0] } else { [1.0, 2.0, 3.0, 0.0] };
        assert_shares(&picks, &expected);
    }
}

#[test]
fn who_fails_or_is_busy_gets_no_part_of_what_is_spread() {
    measured(&[20_000; 3], &[0, 0, 1], &[0; 3], &[0, 90_000, 0]);
    let mut policy = born(PLAIN, &[1; 3]);
    assert!((0..500).all(|n| policy.pick(&request(n << 20)) == Choice::Backend(0)));
}

#[test]
fn a_quiet_upstream_finds_out_who_is_well_again() {
    const SECOND: u64 = 1_000_000;
    let failing = Detail { failures_in_a_row: 50, last_used: 100 * SECOND, ..detail() };
    gateway(|gateway| gateway.details = vec![failing, detail(), detail(), detail()]);
    measured(&[20_000; 4], &[0; 4], &[0; 4], &[900_000, 0, 0, 0]);
    let mut policy = born(PLAIN, &[1; 4]);
    let mut tries = |after: u64| {
        let at = |n: u32| Request { now: (100 + after) * SECOND, ..request(n << 20) };
        (0..400).filter(|n| policy.pick(&at(*n)) == Choice::Backend(0)).count()
    };
    assert_eq!((tries(0), tries(29)), (0, 0));
    assert!(tries(30) > 50, "it is one of four");
}

#[test]
fn asking_late_finds_what_asking_for_all_would() {
    let mut random = Random::new(7, &request(7));
    for round in 0..5_000 {
        let mut column = |values: &[u32]| -> Vec<u32> {
            (0..6).map(|_| values[random.below(values.len() as u64) as usize]).collect()
        };
        let (latency, in_flight) = (column(&[10_000, 23_000, 210_000]), column(&[0, 1, 2]));
        let (age, failures) = (column(&[0, 15_000, 500_000]), column(&[0, 0, 0, 50_000, 90_000, 1_000_000]));
        measured(&latency, &in_flight, &age, &failures);
        let cost = |i: usize| {
            let age = if in_flight[i] > 0 { age[i] } else { 0 };
            let load = (f64::from(in_flight[i]) + 1.0) * penalty(failures[i]);
            f64::from(latency[i]).max(0.5 * f64::from(age)) * load * load
        };
        let least = (0..6).map(cost).fold(f64::INFINITY, f64::min);
        let picked = chosen(born(PLAIN, &[1; 6]).pick(&request(round))) as usize;
        assert!(
            cost(picked) <= least * 1.000_001,
            "{picked}: {latency:?} {in_flight:?} {age:?} {failures:?}"
        );
    }
}

#[test]
fn equals_are_shared_equally() {
    measured(&[100; 5], &[0; 5], &[0; 5], &[0; 5]);
    let mut policy = born("{}", &[1; 5]);
    let mut found = [0; 5];
    for random in 0..20_000 {
        found[chosen(policy.pick(&request(random))) as usize] += 1;
    }
    assert_shares(&found, &[1.0; 5]);
}

#[test]
fn the_busiest_are_not_compared_by_time() {
    // The fast one is by far the busiest: its response time may be luck.
    measured(&[1, 500, 600], &[40, 2, 1], &[0; 3], &[0; 3]);
    assert_eq!(
        born("{}", &[1; 3]).pick(&request(0)),
        Choice::Backend(2),
        "600 x 2 x 2 is less than 500 x 3 x 3"
    );
    assert_eq!(born(PLAIN, &[1; 3]).pick(&request(0)), Choice::Backend(0));
}

#[test]
fn if_all_are_busy_times_do_not_count() {
    measured(&[100; 3], &[0; 3], &[0; 3], &[0; 3]);
    let mut policy = born("{}", &[1; 3]);
    for _ in 0..50 {
        let _ = policy.pick(&request(0));
    }
    measured(&[1, 500, 600], &[40, 30, 50], &[9; 3], &[0; 3]);
    assert_eq!(policy.pick(&request(0)), Choice::Backend(1));
    assert!(
        policy.explain(&request(0)).starts_with("127.0.0.1:18101 961, "),
        "{}",
        policy.explain(&request(0))
    );
}

#[test]
fn who_fails_again_and_again_is_tried_now_and_then() {
    const SECOND: u64 = 1_000_000;
    let failing = |failures_in_a_row| {
        let failing = Detail { failures_in_a_row, last_used: 100 * SECOND, ..detail() };
        gateway(|gateway| gateway.details = vec![failing, detail(), detail()]);
    };
    let pick = |after: u64| {
        let mut policy = born("{}", &[1; 3]);
        chosen(policy.pick(&Request { now: (100 + after) * SECOND, ..request(0) }))
    };
    // As fast as only who fails, and the only one with nothing to do.
    measured(&[1, 1_000, 1_000], &[0, 2, 2], &[0; 3], &[10_000, 0, 0]);
    failing(2);
    assert_eq!(pick(0), 0, "two may be bad luck");
    for (in_a_row, pause) in [(3, 3), (4, 6), (12, 30), (1_000, 30)] {
        failing(in_a_row);
        assert_ne!(pick(0), 0);
        assert_ne!(pick(pause - 1), 0, "{in_a_row}");
        assert_eq!(pick(pause), 0, "{in_a_row}: once, then it was just used");
    }
    measured(&[1, 1_000, 1_000], &[0, 2, 2], &[0; 3], &[900_000, 900_000, 0]);
    failing(1_000);
    assert_ne!(pick(2), 0);
    assert_eq!(pick(3), 0, "most fail, and may all be well again");
    measured(&[1, 10_000, 40_000], &[1; 3], &[0; 3], &[10_000, 0, 0]);
    assert_eq!(pick(30), 1, "nobody knows how fast it is: as all in the mean");
}

#[test]
fn if_all_fail_all_are_tried() {
    gateway(|gateway| gateway.details = vec![Detail { failures_in_a_row: 9, last_used: 1, ..detail() }; 3]);
    measured(&[1, 1_000, 1_000], &[2, 1, 2], &[0; 3], &[900_000; 3]);
    assert_eq!(born("{}", &[1; 3]).pick(&request(0)), Choice::Backend(1), "it has the least to do");
}

#[test]
fn of_many_some_are_looked_at_and_the_best_remembered() {
    let count = 200usize;
    let mut latency = vec![1_000; count];
    latency[77] = 10;
    measured(&latency, &vec![0; count], &vec![0; count], &vec![0; count]);
    let mut policy = born("{}", &vec![1; count]);
    let picks: Vec<u32> = (0..200).map(|random| chosen(policy.pick(&request(random * 99_991)))).collect();
    let found = picks.iter().position(|pick| *pick == 77).expect("it is drawn within 200 picks of 12");
    assert!(picks[found..].iter().all(|pick| *pick == 77), "and not forgotten");
    assert!(policy.seen.len() <= 16);
}

#[test]
fn draws_follow_the_weights() {
    let weights: Vec<u32> = (0..100).map(|index| 1 + index % 2).collect();
    measured(&[100; 100], &[0; 100], &[0; 100], &[0; 100]);
    let mut policy = born(r#"{"memory":0,"choices":2,"hot_quantile":1}"#, &weights);
    let mut found = [0, 0];
    for random in 0..30_000 {
        found[chosen(policy.pick(&request(random))) as usize % 2] += 1;
    }
    assert_shares(&found, &[1.0, 2.0]);
}

#[test]
fn a_newcomer_is_not_flooded() {
    const MINUTE: u64 = 60_000_000;
    let joined = |known_since| Detail { known_since, ..detail() };
    gateway(|gateway| gateway.details = vec![joined(1), joined(1), joined(MINUTE)]);
    measured(&[100; 3], &[5, 5, 0], &[0; 3], &[0; 3]);
    let mut policy = born(PLAIN, &[1; 3]);
    let mut share = |now| {
        let picks = (0..10_000)
            .filter(|random| policy.pick(&Request { now, ..request(*random) }) == Choice::Backend(2));
        picks.count()
    };
    assert!(share(MINUTE).abs_diff(1_000) < 150, "a tenth at first");
    assert!(share(MINUTE + 5_000_000).abs_diff(5_000) < 250, "half after half the time");
    assert_eq!(share(MINUTE + 10_000_000), 10_000);
}

#[test]
fn if_only_a_newcomer_is_left_it_has_to_do() {
    let joined = |known_since| Detail { known_since, ..detail() };
    gateway(|gateway| gateway.details = vec![joined(1), joined(60_000_000)]);
    measured(&[100; 2], &[0; 2], &[0; 2], &[0; 2]);
    let mut policy = born("{}", &[1; 2]);
    gateway(|gateway| gateway.tried = vec![0]);
    for random in 0..100 {
        let again = Request { attempt: 1, now: 60_000_001, ..request(random) };
        assert_eq!(policy.pick(&again), Choice::Backend(1));
    }
}

#[test]
fn who_was_tried_is_passed_over_until_nobody_is_left() {
    for (count, options) in [(5, "{}"), (100, "{}"), (5, r#"{"scan_max":0}"#)] {
        measured(&vec![100; count], &vec![0; count], &vec![0; count], &vec![0; count]);
        let mut policy = born(options, &vec![1; count]);
        let mut tried = Vec::new();
        while let Choice::Backend(next) = retry(&mut policy, &tried) {
            assert!(!tried.contains(&next));
            tried.push(next);
        }
        assert_eq!(tried.len(), count, "{options}");
    }
}

#[test]
fn the_same_inputs_give_the_same_picks() {
    measured(&[100; 300], &[1; 300], &[0; 300], &[0; 300]);
    let picks = || {
        let mut policy = born("{}", &[1; 300]);
        (0..500).map(|random| policy.pick(&request(random * 7_919))).collect::<Vec<_>>()
    };
    assert_eq!(picks(), picks());
}

#[test]
fn it_says_why() {
    measured(&[100, 300, 1], &[0, 0, 90], &[0; 3], &[0; 3]);
    let mut policy = born("{}", &[1; 3]);
    let _ = policy.pick(&request(0));
    let why = policy.explain(&request(0));
    assert_eq!(
        why,
        "127.0.0.1:18100 100, 127.0.0.1:18101 at least 300, 127.0.0.1:18102 at least 8281 (busy)"
    );
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (options, expected) in [
        (r#"{"scan_max":1001}"#, "scan_max: expected 0 to 1000, found 1001"),
        (r#"{"choices":1}"#, "choices: expected 2 to 64, found 1"),
        (r#"{"memory":65}"#, "memory: expected 0 to 64, found 65"),
        (r#"{"hot_quantile":1.5}"#, "hot_quantile: expected 0 to 1, as 0.6"),
    ] {
        assert_eq!(policy::<Adaptive>(options, backends(&[1])).err().as_deref(), Some(expected));
    }
}
