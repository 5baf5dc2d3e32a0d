//! What the gateway knows about its backends in numbers: plain atomics that every worker writes
//! and every policy reads. Nothing here blocks, allocates or knows a protocol.

mod backend;
pub mod clock;
mod in_flight;
mod mean;
mod outcome;
mod report;
mod share;

pub use backend::{BackendStats, NUMBERS, UpstreamStats};
pub use in_flight::{Holder, InFlight};
pub use mean::DecayedMean;
pub use outcome::{Outcome, Verdict};
pub use report::Report;
pub use share::DecayedShare;
