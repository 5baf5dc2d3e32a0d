//! Accepting connections and serving HTTP on them. Knows no upstreams and no policies: a request
//! goes to a handler, and what the handler answers goes back.

mod accept;
mod capacity;
mod connection;
mod http1;
mod io;
mod peer;
mod registry;
mod socket;
mod tracked;

pub use accept::{Desk, Handed, serve};
pub use capacity::Capacity;
pub use connection::{Handler, Settings};
pub use peer::Peer;
pub use registry::Registry;
pub use socket::{Address, Bound, Socket};
pub use tracked::Tracked;
