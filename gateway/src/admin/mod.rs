//! The way to talk to a running gateway: commands, its state, its metrics.
//!
//! A small HTTP server on a thread of its own, so that no command can delay a request. It listens
//! at a unix socket that only the gateway's user may open and, if configured, at a TCP address,
//! where it shows pages but takes no commands. [`client`] is the other end, for the command line.
//!
//! The server knows nothing of configurations or policies: it asks a [`Gateway`].

pub mod client;
mod metrics;
mod pages;
mod server;
mod snapshot;
mod socket;
mod wish;

pub use server::{Admin, Place};
pub use snapshot::{
    ArmSnapshot, BackendSnapshot, CanarySnapshot, CertificateSnapshot, Connections, LimitSnapshot,
    ListenerSnapshot, PolicySnapshot, PolicyState, QueueSnapshot, Requests, ShadowSnapshot, Snapshot,
    TlsSnapshot, UpstreamSnapshot,
};
pub use wish::{Wish, escaped};

/// What the admin server can ask of a gateway.
pub trait Gateway: Send + Sync + 'static {
    /// Puts a new generation in force. May take seconds; called on a thread that may block. The
    /// answer is a sentence that says what is in force now.
    ///
    /// # Errors
    /// The whole text of what is wrong with the new configuration; the old one stays in force.
    fn reload(&self) -> Result<String, String>;
    /// Stops at once. Only asks for it, does not wait.
    fn stop(&self);
    /// Stops when the requests that are being served have ended. Does not wait.
    fn quit(&self);
    /// Starts a new process of the same program, which takes over the listening sockets, and then
    /// quits. Waits until the successor serves, or has failed to; the answer says which process
    /// it is.
    ///
    /// # Errors
    /// Why there is no successor; this gateway goes on.
    fn upgrade(&self) -> Result<String, String>;
    /// Opens the log files again by their names.
    fn reopen(&self);
    /// Records picks until the wish is fulfilled or its patience runs out; called on a thread that
    /// may block. The answer is the recording, a whole file.
    ///
    /// # Errors
    /// Why there is none.
    fn record(&self, wish: &Wish) -> Result<String, String>;
    /// Explains the next pick of an upstream, as JSON; called on a thread that may block.
    ///
    /// # Errors
    /// Why it cannot; also when nobody was picked for in time.
    fn explain(&self, wish: &Wish) -> Result<String, String>;
    /// Lets the canary of an upstream decide for all requests, or for none.
    ///
    /// # Errors
    /// There is no such upstream, or it has no canary.
    fn decide(&self, wish: &Wish, promote: bool) -> Result<String, String>;
    /// Takes no new clients to a backend, by the names of its upstream and its own; or, if `drain`
    /// is false, takes them again. The answer says how it stands.
    ///
    /// # Errors
    /// There is no such backend.
    fn drain(&self, upstream: &str, backend: &str, drain: bool) -> Result<String, String>;
    /// What there is to know right now.
    fn snapshot(&self) -> Snapshot;
}
