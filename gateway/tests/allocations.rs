//! A pick allocates nothing, whatever the policy asks. Counted with an allocator of its own, which
//! is why this is a program of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::sync::Arc;

use pointsman::policy::{Ask, Birth, Engine, Facts, Instance, Limits, Policy};
use pointsman::stats::UpstreamStats;
use pointsman::upstream::{Backend, Candidates};

fn backend(name: &str) -> Arc<Backend> {
    Arc::new(Backend::new(name, name.parse().unwrap(), 0))
}

fn born(guest: &str) -> Instance {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/guests/{guest}.wat"));
    let policy = Policy::load(&Engine::new().unwrap(), guest, &std::fs::read(path).unwrap()).unwrap();
    let backends = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"].map(backend);
    let candidates = Arc::new(Candidates::of("chat".into(), Arc::new(UpstreamStats::default()), &backends));
    policy
        .instantiate(Birth { options: "{}", candidates, seed: 1, state: None, limits: Limits::default() })
        .unwrap()
}

/// Allocations of a hundred picks, after a first one that may warm things up.
fn allocations(guest: &str) -> u64 {
    let mut instance = born(guest);
    let mut facts = Facts::default();
    facts.headers.insert("x-backend", "2".parse().unwrap());
    let mut pick = || instance.pick(&Ask { now: 1, ..Ask::default() }, &mut facts).unwrap();
    pick();
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            pick();
        }
    });
    counted.count_total
}

#[test]
fn an_allocation_would_be_counted() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn a_pick_that_asks_nothing_allocates_nothing() {
    assert_eq!(allocations("first"), 0);
}

#[test]
fn reading_a_column_allocates_nothing() {
    assert_eq!(allocations("least_busy"), 0);
}

#[test]
fn reading_a_header_allocates_nothing() {
    assert_eq!(allocations("by_header"), 0);
}
