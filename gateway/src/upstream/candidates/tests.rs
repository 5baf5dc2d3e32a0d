use std::time::Duration;

use super::*;
use crate::upstream::health::Health;

const SECOND: u64 = 1_000_000;

/// Backends `p` and `b`: primaries and backups.
fn backends(tiers: &str) -> Vec<Arc<Backend>> {
    let backend = |(n, tier): (usize, char)| {
        let name = format!("10.0.0.{n}:80");
        Arc::new(Backend { backup: tier == 'b', ..Backend::new(&name, name.parse().unwrap(), n) })
    };
    tiers.chars().enumerate().map(backend).collect()
}

fn health() -> Health {
    Health::new("api".into(), crossbeam_channel::bounded(1).0)
}

fn places(backends: &[Arc<Backend>], panic_threshold: u32) -> (Vec<u32>, bool) {
    let candidates = Candidates::now("api".into(), Arc::default(), backends, panic_threshold, SECOND);
    (candidates.places.to_vec(), candidates.panic)
}

fn fail(backends: &[Arc<Backend>], places: impl IntoIterator<Item = usize>) {
    places.into_iter().for_each(|place| health().set_failing(&backends[place], true, "", 1));
}

#[test]
fn who_is_not_well_is_no_candidate() {
    let backends = backends("ppp");
    fail(&backends, [1]);
    assert_eq!(places(&backends, 0), (vec![0, 2], false));
}

#[test]
fn backups_serve_when_no_primary_is_well() {
    let backends = backends("ppb");
    fail(&backends, [0, 1]);
    assert_eq!(places(&backends, 0), (vec![2], false));
}

#[test]
fn when_nobody_is_well_all_primaries_serve() {
    let backends = backends("ppb");
    fail(&backends, [0, 1, 2]);
    assert_eq!(places(&backends, 0), (vec![0, 1], true));
}

#[test]
fn below_the_threshold_health_does_not_count() {
    let backends = backends("pppp");
    fail(&backends, [0, 1]);
    assert_eq!(places(&backends, 50), (vec![2, 3], false));
    fail(&backends, [2]);
    assert_eq!(places(&backends, 50), (vec![0, 1, 2, 3], true));
}

#[test]
fn who_is_drained_takes_no_part_even_in_a_panic() {
    let backends = backends("ppp");
    health().set_draining(&backends[0], true, 1);
    fail(&backends, [1, 2]);
    assert_eq!(places(&backends, 0), (vec![1, 2], true));
}

#[test]
fn who_comes_back_starts_with_a_part_of_its_weight() {
    let slow = |weight, slow_start| {
        let name = format!("10.0.0.{weight}:80");
        Arc::new(Backend { weight, slow_start, ..Backend::new(&name, name.parse().unwrap(), 0) })
    };
    let backends = [slow(1, Duration::from_secs(10)), slow(2, Duration::ZERO)];
    let weights = |now: u64| {
        let candidates = Candidates::now("api".into(), Arc::default(), &backends, 0, now * SECOND);
        (candidates.weights.to_vec(), candidates.rising)
    };
    assert_eq!(weights(1), (vec![1, 2], false), "nobody was away");
    backends[0].condition.came_back(5 * SECOND);
    assert_eq!(weights(5), (vec![1, 200], true));
    assert_eq!(weights(10), (vec![50, 200], true));
    assert_eq!(weights(15), (vec![1, 2], false));
}

#[test]
fn weights_stay_within_what_policies_are_promised() {
    let heavy = |n: usize, weight| {
        let name = format!("10.0.0.{n}:80");
        let slow_start = Duration::from_secs(10);
        Arc::new(Backend { weight, slow_start, ..Backend::new(&name, name.parse().unwrap(), n) })
    };
    let backends = [heavy(0, 65_535), heavy(1, 1)];
    backends[1].condition.came_back(SECOND);
    let candidates = Candidates::now("api".into(), Arc::default(), &backends, 0, 2 * SECOND);
    assert!(candidates.weights.iter().all(|weight| (1..=65_535).contains(weight)));
}

#[test]
fn an_ejection_is_a_difference_and_nothing_is_none() {
    let backends = backends("pp");
    let look = || Candidates::now("api".into(), Arc::default(), &backends, 0, SECOND);
    let before = look();
    assert!(!before.differs_from(&look()));
    fail(&backends, [0]);
    assert!(before.differs_from(&look()));
}
