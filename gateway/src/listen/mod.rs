//! Accepting connections and serving HTTP on them. Knows no upstreams and no policies: a request
//! goes to a handler, and what the handler answers goes back.
//!
//! HTTP/1.1 is the gateway's own (`http1`): one task a connection, no buffer while it is idle,
//! and every refusal in words. HTTP/2 (`http2`) is that of the crate `h2`: one task a connection, one a stream.

mod accept;
mod capacity;
mod connection;
mod date;
mod http1;
mod http2;
mod incoming;
mod inherited;
mod peer;
mod proxy_protocol;
mod registry;
mod socket;
pub mod tls;
mod trust;
mod unreadable;

pub use accept::{Desk, Handed, serve};
pub use capacity::Capacity;
pub use connection::{Handler, Settings};
pub use http2::Interim;
pub use incoming::{Incoming, Malformed};
pub use inherited::Inherited;
pub use peer::Peer;
pub use registry::Registry;
pub use socket::{Address, Bound, Socket};
pub use trust::{ClientField, Network, Networks, Origin, Trust};
pub use unreadable::Unreadable;
