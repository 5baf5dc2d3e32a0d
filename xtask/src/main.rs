//! The project's chores: `cargo xtask policies` rebuilds the policies that the gateway embeds,
//! `cargo xtask bench` measures the gateway beside other proxies, `cargo xtask balance` policies beside
//! each other.

mod bench;
mod policies;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure the gateway beside nginx and HAProxy.
    Bench(bench::Arguments),
    /// Measure what policies make of uneven backends, in the real gateway.
    Balance(bench::balance::Arguments),
    /// Rebuild policies/dist from the sources under policies/.
    Policies(policies::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Bench(arguments) => bench::run(&arguments).map_err(|error| error.to_string()),
        Chore::Balance(arguments) => bench::balance::run(&arguments).map_err(|error| error.to_string()),
        Chore::Policies(arguments) => policies::run(&arguments).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
