//! `cargo xtask bench`: what the gateway costs, beside nginx and HAProxy.
//!
//! All three stand before the same two backends (nginx with fixed answers), configured as equally as they can
//! be: two workers, connections kept alive on both sides, the same forwarding fields. `wrk` loads them in
//! turn, round after round, each time in another order, so that a machine that gets slower or faster in
//! between is so for all. Absolute numbers belong to a machine and a day; what counts is the ratio to nginx in
//! the same round, and of it the CPU time per request: on a machine that also runs the load and the backends,
//! requests per second and latency say as much about those.

pub(crate) mod balance;
mod error;
mod load;
mod machine;
mod process;
mod proxy;
mod rounds;
mod scenario;
mod table;

use std::path::PathBuf;

use clap::ValueEnum;

use error::Doing;
pub(crate) use error::Error;
use rounds::Bench;
use scenario::Scenario;

/// What `cargo xtask bench` is told.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How often each proxy is measured in each scenario.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// The gateway; without it, `release/pointsman` in cargo's target folder.
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,
    /// An older build of the gateway, measured in the same rounds: what has a change cost?
    #[arg(long, value_name = "PATH")]
    before: Option<PathBuf>,
}

/// Measures, and prints the tables on standard output; progress goes to standard error.
///
/// # Errors
/// When a program is missing or does not start, when a proxy answers wrongly, or when interrupted. Whatever was
/// started is stopped, and the temporary folder is gone, in each of these cases.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let bench = Bench::new(arguments)?;
    println!("{}", bench.describe());
    let all = Scenario::value_variants();
    let only = if arguments.only.is_empty() { all } else { &arguments.only };
    let mut columns = Vec::new();
    for &scenario in only {
        columns.extend(bench.scenario(scenario)?);
    }
    let text = table::write(&columns).map_err(std::io::Error::other).doing("write the table")?;
    print!("{text}");
    Ok(())
}

/// `template` with each `{{name}}` replaced by its value.
fn fill(template: &str, known: &[(&str, &str)]) -> String {
    known
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}
