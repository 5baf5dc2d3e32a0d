//! `cargo xtask balance`: what policies make of uneven backends, in the real gateway.
//!
//! Each policy has gateways of its own before a fleet of its own, and all fleets are alike: they
//! run side by side, under the same arrivals with the same work, so that whatever the machine does
//! in between it does to all of them. Backends are simulated as far as they are slow (requests share
//! the cores of a backend until their work is done), and real as far as they speak HTTP. Arrivals do
//! not wait for answers: a slow policy cannot slow its own load down, and times count from when a
//! request was due.

mod cores;
mod dice;
mod fleet;
mod gateways;
mod late;
mod load;
mod scenario;
mod table;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use clap::ValueEnum;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::error::{Doing, Error};
use super::machine;
use fleet::Fleet;
use gateways::Gateways;
use late::Late;
use load::Sample;
use scenario::{Scenario, Setup};
use usage::{Shares, Usage};

/// What `cargo xtask balance` is told.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How long each measurement takes; the first tenth does not count.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// Shares of the backends' capacity that the load asks for.
    #[arg(long, value_delimiter = ',', default_value = "0.7,0.8,0.9,0.95")]
    load: Vec<f64>,
    /// Requests a second that the fleet of a policy can serve at most. Work is as long as that asks
    /// for: with less, the machine has less to do, and requests take longer.
    #[arg(long, default_value_t = 1000.0)]
    capacity: f64,
    /// Backends of each policy.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    backends: u32,
    /// Cores of each backend.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    cores: u32,
    /// Gateways for each policy; each sees only its share of the requests.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=8))]
    gateways: u32,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// The policies; what follows is compared with the first. A name may be followed by options, as
    /// in `adaptive hot_quantile=0.8`.
    #[arg(long, value_delimiter = ',', default_value = "adaptive,least_conn,p2c,peak_ewma,least_time")]
    policies: Vec<String>,
    /// Folder of policies that are not built in, or take the place of built-in ones.
    #[arg(long, value_name = "PATH")]
    policies_folder: Option<PathBuf>,
    /// What chance starts from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The gateway; without it, `release/pointsman` in cargo's target folder.
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,
}

/// What came of one measurement.
#[derive(Debug)]
struct Measured {
    plan: load::Plan,
    samples: Vec<Sample>,
    cpu: Shares,
    sent: Late,
    answered: Arc<Late>,
}

/// Measures, and prints a table for each scenario and load.
///
/// # Errors
/// When the gateway is missing or does not start, the system refuses something, or when interrupted. The
/// gateways are stopped, and the temporary folders are gone, in each of these cases.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    println!("{}", machine::describe());
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).doing("watch for signals")?;
    }
    let all = Scenario::value_variants();
    let only = if arguments.only.is_empty() { all } else { &arguments.only };
    for scenario in only {
        let (backends, cores) = (arguments.backends as usize, arguments.cores);
        let setup = Setup { scenario: *scenario, backends, cores };
        println!("\n### {scenario}\n\n{}", table::head(arguments, setup));
        for load in &arguments.load {
            let measured = measure(arguments, setup, *load, &interrupted)?;
            println!("\n{}", table::write(arguments, *load, &measured));
        }
    }
    Ok(())
}

fn measure(
    arguments: &Arguments,
    setup: Setup,
    load: f64,
    interrupted: &AtomicBool,
) -> Result<Measured, Error> {
    let folder = tempfile::tempdir().doing("create a temporary folder")?;
    let (begins, answered, sent) = (fleet::Start::default(), Arc::default(), Late::default());
    let mut gateways = Vec::new();
    for (number, policy) in arguments.policies.iter().enumerate() {
        let fleet = Fleet::start(setup, &begins, &answered)?;
        let own = folder.path().join(number.to_string());
        gateways.push(Gateways::start(arguments, policy, fleet.addresses(), &own)?);
    }
    let addresses: Vec<_> = gateways.iter().map(Gateways::addresses).collect();
    let plan = load::Plan {
        rate: load * arguments.capacity,
        work: setup.capacity() / arguments.capacity,
        length: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
    };
    eprintln!("{} at {load}: {:.0} requests a second for each policy", setup.scenario, plan.rate);
    let before = Usage::now(&gateways)?;
    let samples = load::run(&plan, &addresses, &begins, &sent, interrupted).doing("run the load")?;
    if interrupted.load(Relaxed) {
        return Err(Error::Interrupted);
    }
    let cpu = Usage::now(&gateways)?.since(&before);
    Ok(Measured { plan, samples, cpu, sent, answered })
}
