//! What can go wrong with a benchmark.

use std::io;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A program that the benchmark needs is not there.
    #[error("`{0}` is not installed (Debian: apt-get install nginx-light haproxy wrk)")]
    Missing(&'static str),
    /// The gateway has not been built.
    #[error("no gateway at {} (cargo build --release)", .0.display())]
    NoGateway(std::path::PathBuf),
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended, or never listened.
    #[error("{program} does not listen on port {port}{}", said(.output))]
    Silent {
        /// Which.
        program: &'static str,
        /// Where it should have listened.
        port: u16,
        /// What it wrote.
        output: String,
    },
    /// A proxy does not do what is measured.
    #[error("{program} fails at `{scenario}`: {what}{}", said(.output))]
    Wrong {
        /// Which.
        program: &'static str,
        /// At what.
        scenario: String,
        /// How it shows.
        what: String,
        /// What it wrote.
        output: String,
    },
    /// wrk wrote something else than our script makes it write.
    #[error("wrk wrote no result: {0}")]
    Unread(String),
    /// Somebody pressed ctrl-c.
    #[error("interrupted")]
    Interrupted,
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it wrote:\n{output}") }
}

/// Names what was being done when the system refused.
pub(super) trait Doing<T> {
    /// The same result, with the action in its error.
    fn doing(self, what: impl Into<String>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|error| Error::System { what: what.into(), source: error.into() })
    }
}
