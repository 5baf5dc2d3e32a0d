//! One pick of each built-in policy at growing numbers of backends, and the birth of an instance.
//!
//! Times are CPU time of the thread, so that whatever else the machine does counts little. The
//! statistics are those of a busy upstream (no mean is older than 32 ms): old ones cost two
//! exponentials more for each backend of a column.
//!
//! Policies are read from `policies/dist`; what is not built there is left out. Run with
//! `cargo bench --bench pick`.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pointsman::policy::{
    Ask, Beside, Birth, Engine, Facts, Fallback, Instance, Limits, Picker, Policy, Roster, Rules, Shadow,
    ShadowBook,
};
use pointsman::stats::{BackendStats, Outcome, UpstreamStats, Verdict};
use pointsman::upstream::{Backend, Candidates};

/// Each built-in policy with the options it is measured with.
const BUILT_IN: [(&str, &str); 14] = [
    ("round_robin", "{}"),
    ("hash", "{}"),
    ("ip_hash", "{}"),
    ("random", r#"{"choices": 2}"#),
    ("p2c", "{}"),
    ("least_conn", "{}"),
    ("least_time", "{}"),
    ("peak_ewma", "{}"),
    ("fair", "{}"),
    ("adaptive", "{}"),
    ("ketama", r#"{"bound": 1.25}"#),
    ("maglev", "{}"),
    ("rendezvous", "{}"),
    ("weighted_report", "{}"),
];
const SIZES: [usize; 5] = [2, 10, 100, 1_000, 10_000];

/// What a call costs at least: a guest in WAT that asks nothing, and one that scans one column.
const FLOOR: [(&str, &str); 2] = [("first", "{}"), ("least_busy", "{}")];

/// Criterion's clock, but it stands still while the thread does not run.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, began: ThreadTime) -> Duration {
        began.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn path(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match FLOOR.iter().any(|(guest, _)| *guest == name) {
        true => root.join(format!("tests/guests/{name}.wat")),
        false => root.join(format!("policies/dist/{name}.wasm")),
    }
}

fn load(engine: &Engine, name: &str) -> Option<Arc<Policy>> {
    let bytes = std::fs::read(path(name)).ok()?;
    match Policy::load(engine, name, &bytes) {
        Ok(policy) => Some(policy),
        Err(error) => {
            eprintln!("{name} is left out: {error}");
            None
        }
    }
}

/// Candidates that have all been used a little, with different response times.
fn candidates(number: usize) -> Arc<Candidates> {
    let stats = Arc::new(UpstreamStats::default());
    let backends: Vec<_> = (0..number).map(|n| Arc::new(backend(n, &stats))).collect();
    Arc::new(Candidates::of("bench".into(), stats, &backends))
}

fn backend(number: usize, upstream: &UpstreamStats) -> Backend {
    let name = format!("10.{}.{}.1:80", number / 256, number % 256);
    let address = name.parse().expect("an address");
    let stats = BackendStats::default();
    let total = 1_000 + number as u32 * 7 % 1_000;
    let outcome =
        Outcome { verdict: Verdict::Success, status: 200, connect: 0, first_byte: total, total, now: 1 };
    stats.record(&outcome, upstream);
    Backend { stats: Arc::new(stats), ..Backend::new(&name, address, number) }
}

fn birth<'a>(candidates: &Arc<Candidates>, options: &'a str) -> Birth<'a> {
    let limits = Limits { pick: Duration::from_secs(1), init: Duration::from_secs(30), ..Limits::default() };
    Birth { options, candidates: Arc::clone(candidates), seed: 1, state: None, limits }
}

fn facts() -> Facts {
    let mut facts = Facts { client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77))), ..Facts::default() };
    facts.key.extend_from_slice(b"/images/logo.png");
    facts
}

/// The requests of a bench: key and random bits differ from one to the next.
struct Requests {
    ask: Ask,
    facts: Facts,
}

impl Requests {
    fn new() -> Self {
        Self { ask: Ask { now: 1_000, ..Ask::default() }, facts: facts() }
    }

    fn pick(&mut self, instance: &mut Instance) {
        self.ask.key = self.ask.key.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.ask.random = (self.ask.key >> 33) as u32;
        black_box(instance.pick(&self.ask, &mut self.facts)).expect("a choice");
    }
}

fn picks(criterion: &mut Criterion<CpuTime>) {
    let engine = Engine::new().expect("an engine");
    Engine::prepare_thread();
    for (name, options) in FLOOR.into_iter().chain(BUILT_IN) {
        let Some(policy) = load(&engine, name) else { continue };
        let mut group = criterion.benchmark_group(format!("pick/{name}"));
        for size in SIZES {
            let mut instance = match policy.instantiate(birth(&candidates(size), options)) {
                Ok(instance) => instance,
                Err(error) => {
                    eprintln!("{name} at {size} backends is left out: {error}");
                    continue;
                }
            };
            let mut requests = Requests::new();
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| requests.pick(&mut instance));
            });
        }
        group.finish();
    }
}

fn fallback(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("pick/fallback");
    for size in SIZES {
        let mut fallback = Fallback::new(&candidates(size), 0);
        group.bench_function(BenchmarkId::from_parameter(size), |b| b.iter(|| black_box(fallback.pick(&[]))));
    }
    group.finish();
}

fn births(criterion: &mut Criterion<CpuTime>) {
    let engine = Engine::new().expect("an engine");
    let candidates = candidates(10);
    for (name, options) in BUILT_IN {
        let Some(policy) = load(&engine, name) else { continue };
        criterion.bench_function(&format!("birth/{name}/10"), |b| {
            b.iter(|| policy.instantiate(birth(&candidates, options)).expect("an instance"));
        });
    }
}

/// What a picker adds to its instance, alone and with a shadow that is asked each time. A shadow may
/// add its own pick and a fifth of that.
fn pickers(criterion: &mut Criterion<CpuTime>) {
    let engine = Engine::new().expect("an engine");
    let Some(policy) = load(&engine, "least_conn") else { return };
    let candidates = candidates(10);
    let instance = || policy.instantiate(birth(&candidates, "{}")).expect("an instance");
    let names: Box<[Arc<str>]> =
        candidates.backends.iter().map(|backend| Arc::clone(&backend.name)).collect();
    let book = Arc::new(ShadowBook::new(Arc::clone(&policy), "{}", names, 1));
    let shadow = |share| Shadow::new(instance(), Arc::clone(&book), 0, share, 1);
    let cases = [("alone", vec![]), ("shadow at 0", vec![shadow(0.0)]), ("shadow at 1", vec![shadow(1.0)])];
    let mut group = criterion.benchmark_group("picker/least_conn");
    for (name, shadows) in cases {
        let roster = Arc::new(Roster::new("bench".into(), Rules::default(), 1));
        let picker = Picker::new(Arc::clone(&candidates), Some(instance()), roster, 0, 1, Arc::new(|_| ()));
        let mut picker = picker.with(Beside::new(None, None, shadows));
        let mut requests = Requests::new();
        group.bench_function(name, |b| {
            b.iter(|| black_box(picker.pick(requests.ask, &mut requests.facts)));
        });
    }
    group.finish();
}

fn quick() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! { name = benches; config = quick(); targets = picks, pickers, fallback, births }
criterion_main!(benches);
