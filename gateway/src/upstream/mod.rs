//! Upstreams: named sets of backends, and the ways to talk to them.

mod address;
mod backend;
mod candidates;

pub use address::Address;
pub use backend::{Backend, Identity};
pub use candidates::{Candidates, Member};
