//! Host and path to route. Pure: no sockets, no time.

mod expression;
mod hosts;
mod paths;

pub use expression::Expression;
pub use hosts::{HostPattern, Table};
pub use paths::{PathPattern, Paths};
