//! `cargo xtask balance`: what policies make of uneven backends, in the real gateway.
//!
//! Each policy has gateways of its own before a fleet of its own, and all fleets are alike: they
//! run side by side, under the same arrivals with the same work, so that whatever the machine does
//! in between it does to all of them. Backends are simulated as far as they are slow (a request
//! waits for one of the backend's slots and keeps it for its work), and real as far as they speak
//! HTTP. Arrivals do not wait for answers: a slow policy cannot slow its own load down, and times
//! count from when a request was due.

mod dice;
mod fleet;
mod gateways;
mod load;
mod scenario;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::error::{Doing, Error};
use fleet::Fleet;
use gateways::Gateways;
use load::Sample;
use scenario::Scenario;

/// What `cargo xtask balance` is told.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How long each scenario takes; the first tenth does not count.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// Share of the backends' capacity that the load asks for.
    #[arg(long, default_value_t = 0.8)]
    load: f64,
    /// Gateways for each policy; each sees only its share of the requests.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    gateways: u32,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// The policies; what follows is compared with the first.
    #[arg(long, value_delimiter = ',', default_value = "adaptive,least_conn,p2c,peak_ewma")]
    policies: Vec<String>,
    /// What chance starts from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The gateway; without it, `release/pointsman` in cargo's target folder.
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,
}

/// Measures, and prints a table for each scenario.
///
/// # Errors
/// When the gateway is missing or does not start, or the system refuses something.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let all = Scenario::value_variants();
    let only = if arguments.only.is_empty() { all } else { &arguments.only };
    for scenario in only {
        println!("\n{}", measure(arguments, *scenario)?);
    }
    Ok(())
}

fn measure(arguments: &Arguments, scenario: Scenario) -> Result<String, Error> {
    let folder = tempfile::tempdir().doing("create a temporary folder")?;
    let begins = fleet::Start::default();
    let mut fleets = Vec::new();
    let mut gateways = Vec::new();
    for policy in &arguments.policies {
        let fleet = Fleet::start(scenario, &begins)?;
        gateways.push(Gateways::start(arguments, policy, fleet.addresses(), folder.path())?);
        fleets.push(fleet);
    }
    let addresses: Vec<_> = gateways.iter().map(Gateways::addresses).collect();
    let plan = load::Plan {
        rate: arguments.load * scenario.capacity(),
        length: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
    };
    eprintln!("{scenario}: {:.0} requests a second for each policy, {} s", plan.rate, arguments.seconds);
    let samples = load::run(&plan, &addresses, &begins).doing("run the load")?;
    Ok(table(arguments, scenario, plan.rate, &samples))
}

fn table(arguments: &Arguments, scenario: Scenario, rate: f64, samples: &[Sample]) -> String {
    let mut text = format!(
        "### {scenario}\n\n{}; load {}, {rate:.0} requests a second, {} s, {} gateway(s) each\n\n\
         | policy | p50 ms | p90 ms | p99 ms | p99.9 ms | p99 to the first | errors |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
        scenario.description(),
        arguments.load,
        arguments.seconds,
        arguments.gateways
    );
    let first = samples.first().map_or(1.0, |sample| sample.percentile(0.99));
    for (policy, sample) in arguments.policies.iter().zip(samples) {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| sample.percentile(share));
        let (ratio, errors) = (p99 / first, sample.errors());
        text += &format!(
            "| `{policy}` | {p50:.1} | {p90:.1} | {p99:.1} | {p999:.1} | {ratio:.2} | {errors:.4} % |\n"
        );
    }
    text
}
