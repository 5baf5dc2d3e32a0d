//! `pointsman demo`

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::Code;
use super::run::code;
use crate::demo::{self, Wishes};

#[derive(Args)]
pub(super) struct Demo {
    /// How long each policy is measured, in seconds (0.1 to 60)
    #[arg(long, value_name = "SECONDS", default_value = "2.5", value_parser = seconds)]
    seconds: Duration,
    /// The gateway's port; 0 is any that is free [default: 8080, or the next one that is free]
    #[arg(long)]
    port: Option<u16>,
    /// End after the table
    #[arg(long)]
    exit: bool,
}

/// Between a table of noise and a test of patience.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number from 0.1 to 60 is wanted".into()),
    }
}

pub(super) fn demo(asked: &Demo) -> Code {
    code(demo::run(Wishes { seconds: asked.seconds, port: asked.port, exit: asked.exit }))
}

/// `pointsman` alone where there is no configuration `absent`.
pub(super) fn instead_of(absent: &Path) -> Code {
    // Nobody may be listening (`| head`); the demo goes on all the same.
    let _ = writeln!(io::stdout(), "There is no `{}` here: this is `pointsman demo`.\n", absent.display());
    code(demo::run(Wishes::default()))
}
