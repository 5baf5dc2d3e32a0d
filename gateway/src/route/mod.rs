//! Host and path to route. Pure: no sockets, no time.

mod hosts;
mod paths;

pub use hosts::{HostPattern, Table};
pub use paths::{PathPattern, Paths};
