//! What the scenarios stand on: the real gateway as a child process, backends and clients that
//! are raw sockets, and a reader of HTTP/1.1 messages that hides nothing.
//!
//! Everything is blocking and bounded: a test waits for a fact, never for a time, and a fact that
//! does not come within [`PATIENCE`] fails the test with what was seen instead.

mod backend;
mod gateway;
mod grpc;
pub mod guest;
pub mod h2;
mod h2_backend;
mod load;
mod message;
mod plan;
mod process;
mod script;
mod stream;
mod tls;
mod wire;

use std::time::{Duration, Instant};

pub use backend::{Backend, backend, backends, ok, with_body};
pub use gateway::Gateway;
pub use grpc::{GrpcBackend, GrpcClient, grpc_backend, soon};
pub use h2::{End, H2};
pub use h2_backend::{Came, H2Backend};
pub use load::Load;
pub use message::Message;
pub use plan::{Plan, gateway};
pub use process::{Finished, installed, pointsman, run};
pub use script::{Script, refusing, script, script_at, silent};
pub use tls::{Authority, Issued, TlsClient, TlsServer, authority, tls_client};
pub use wire::Wire;

/// How long anything may take before the test gives up. Generous: machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `fact` is true; fails the test, naming `what`, when it never is.
#[track_caller]
pub fn eventually(what: &str, mut fact: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How often each name occurs, in the order of the names.
pub fn counts<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().collect()
}
