//! The command line: one file a subcommand.

mod check;
mod command;
mod demo;
mod policy;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// An HTTP gateway whose backend-selection policy is a sandboxed WebAssembly component.
#[derive(Parser)]
#[command(name = "pointsman", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    file: File,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 refused (the configuration, a policy or a reload is wrong); \
2 the command line is wrong; 3 the system refused (a socket, a file), or no gateway is running.

Signals: TERM and INT stop at once, QUIT quits after the last request, HUP reloads, USR1 reopens the logs, USR2 upgrades.";

/// Which configuration.
#[derive(Args, Clone)]
struct File {
    /// The configuration file [default: pointsman.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The configuration that is meant when none is named.
const CONFIG: &str = "pointsman.toml";

#[derive(Subcommand)]
enum Command {
    /// Run the gateway (what happens without a command, if there is a configuration)
    Run,
    /// See it work: three backends, a gateway, a load, and what each policy makes of them (what
    /// happens without a command and without a configuration)
    Demo(demo::Demo),
    /// Show all problems of the configuration; load and try every policy
    Check,
    /// Put changed files in force in the running gateway; all of them or nothing
    Reload,
    /// End the running gateway at once
    Stop,
    /// End the running gateway after its last request (at most `quit_timeout`)
    Quit,
    /// Take no new clients to a backend of the running gateway; those who are there are served to
    /// their end, and sessions stay
    Drain(Which),
    /// Take new clients to it again
    Undrain(Which),
    /// Replace the running gateway by a new process of its program, without losing a request
    Upgrade,
    /// Let the running gateway open its log files anew, after they were rotated
    Reopen,
    /// Work on policies
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
}

/// Which backend.
#[derive(Args)]
struct Which {
    /// Name of the upstream
    upstream: String,
    /// The backend's address, as in the configuration
    backend: String,
}

impl Which {
    /// The command as the control socket takes it.
    fn told(&self, command: &str) -> String {
        let [upstream, backend] =
            [&self.upstream, &self.backend].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC));
        format!("{command}?upstream={upstream}&backend={backend}")
    }
}

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Done,
    Refused,
    System,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Done => 0,
            Code::Refused => 1,
            Code::System => 3,
        })
    }
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { command, file } = Arguments::parse();
    let config = file.config.as_deref().unwrap_or(Path::new(CONFIG));
    let code = match command {
        None if file.config.is_none() && !config.exists() => demo::instead_of(config),
        Some(Command::Demo(_)) if file.config.is_some() => {
            let why = "the demo writes its own configuration: leave `--config` out";
            Arguments::command().error(ErrorKind::ArgumentConflict, why).exit()
        }
        Some(Command::Demo(asked)) => demo::demo(&asked),
        None | Some(Command::Run) => run::run(config),
        Some(Command::Check) => check::check(config),
        Some(Command::Reload) => command::send(config, "/reload"),
        Some(Command::Stop) => command::send(config, "/stop"),
        Some(Command::Quit) => command::send(config, "/quit"),
        Some(Command::Drain(which)) => command::send(config, &which.told("/drain")),
        Some(Command::Undrain(which)) => command::send(config, &which.told("/undrain")),
        Some(Command::Upgrade) => command::send(config, "/upgrade"),
        Some(Command::Reopen) => command::send(config, "/reopen"),
        Some(Command::Policy(command)) => policy::policy(&command, config),
    };
    code.into()
}
