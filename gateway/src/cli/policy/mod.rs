//! `pointsman policy`: work on policies, one file a subcommand.

mod build;
mod canary;
mod contestant;
mod examples;
mod explain;
mod inspect;
mod new;
mod record;
mod replay;
mod simulate;
mod test;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Code;
use crate::policy::{Engine, builtin, usual_cache};

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Show what a policy file exports and imports, and whether it can serve
    Inspect {
        /// A component, a core module or WAT text; or the name of a built-in policy
        policy: PathBuf,
    },
    /// Make a component of WAT text or a core module, and check that it is a policy
    Build(build::Build),
    /// Compare policies over made-up backends in virtual time
    Simulate(simulate::Simulate),
    /// Make a folder with a policy to begin with
    New(new::New),
    /// Try a policy before it sees traffic, and print a report card
    Test(test::Test),
    /// Write the next picks of the running gateway to a file, so that they can be made again
    Record(record::Record),
    /// Show why the running gateway's next pick, or a recorded one, comes out as it does
    Explain(explain::Explain),
    /// Let the canary of an upstream decide for all requests of the running gateway
    Promote(canary::Which),
    /// Let the canary of an upstream decide for no request of the running gateway
    Rollback(canary::Which),
}

pub(super) fn policy(command: &PolicyCommand, config: &Path) -> Code {
    match command {
        PolicyCommand::Inspect { policy } => inspect::inspect(policy),
        PolicyCommand::Build(asked) => build::build(asked),
        PolicyCommand::Simulate(asked) => simulate::simulate(asked),
        PolicyCommand::New(asked) => new::new(asked),
        PolicyCommand::Test(asked) => test::test(asked),
        PolicyCommand::Record(asked) => record::record(asked, config),
        PolicyCommand::Explain(asked) => explain::explain(asked, config),
        PolicyCommand::Promote(which) => canary::decide(which, config, "/promote"),
        PolicyCommand::Rollback(which) => canary::decide(which, config, "/rollback"),
    }
}

/// A policy as it was named on the command line: a file, or one that is built in.
struct Named {
    /// What it is called in messages: the file's name without its ending.
    name: String,
    bytes: Vec<u8>,
}

impl Named {
    /// Reads the file; where there is none of that name, the built-in policy of that name.
    fn read(path: &Path) -> Result<Self, Code> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(builtin) = builtin(&path.to_string_lossy())
            && !path.exists()
        {
            return Ok(Self { name, bytes: builtin.bytes.to_vec() });
        }
        let bytes = fs::read(path).map_err(|error| {
            eprintln!("cannot read `{}`: {error}", path.display());
            Code::System
        })?;
        Ok(Self { name, bytes })
    }
}

fn engine() -> Result<Engine, Code> {
    Engine::keeping(usual_cache().as_deref()).map_err(|error| {
        eprintln!("{error}");
        Code::System
    })
}
