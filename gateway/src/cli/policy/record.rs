//! `pointsman policy record`

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::Code;
use crate::admin::{Wish, client};
use crate::config;
use crate::policy::recording::Recording;

#[derive(Args)]
pub(in crate::cli) struct Record {
    /// The upstream; may be left out if there is only one
    #[arg(short, long, value_name = "NAME")]
    upstream: Option<String>,
    /// How many requests
    #[arg(short = 'n', long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    requests: u64,
    /// How long to wait for them, seconds
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Keep the requests' header fields even if the policy does not read them. They may be secret
    #[arg(long)]
    headers: bool,
    /// Where to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn record(asked: &Record, config: &Path) -> Code {
    let Record { upstream, requests, seconds, headers, output } = asked;
    let patience = Duration::from_secs(*seconds);
    let wish = Wish { upstream: upstream.clone(), requests: *requests, patience, headers: *headers };
    let began = Instant::now();
    let text = match command(config, "/record", &wish) {
        Ok(text) => text,
        Err(code) => return code,
    };
    let recording = match Recording::read(&text) {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("the gateway sent no recording: {error}");
            return Code::System;
        }
    };
    if let Err(error) = write(output, &text) {
        eprintln!("cannot write `{}`: {error}", output.display());
        return Code::System;
    }
    let (header, picks) = (&recording.header, recording.picks().count());
    println!(
        "{}: {picks} picks of policy {} {} in upstream {}",
        output.display(),
        header.policy,
        header.version,
        header.upstream
    );
    if (picks as u64) < *requests {
        let why = if began.elapsed() < patience {
            "the configuration or a policy file changed meanwhile, or the recording was full"
        } else {
            "no more came in time, see `--for`"
        };
        eprintln!("fewer than the {requests} that were asked for: {why}");
    }
    Code::Done
}

/// Gives a command that waits for requests to the running gateway; its answer.
pub(super) fn command(config: &Path, path: &str, wish: &Wish) -> Result<String, Code> {
    let socket = config::control_of(config);
    match client::post_and_wait(&socket, &format!("{path}?{}", wish.query()), wish.patience) {
        Ok(answer) if answer.status == 200 => Ok(answer.text),
        Ok(answer) => {
            eprintln!("{}", answer.text.trim_end());
            Err(Code::Refused)
        }
        Err(error) => {
            eprintln!("{error}");
            Err(Code::System)
        }
    }
}

/// Only for its owner: a recording shows who asked for what.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
