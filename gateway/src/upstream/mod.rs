//! Upstreams: named sets of backends, and the ways to talk to them. Knows no routes and no
//! policies.

mod address;
mod backend;
mod candidates;
mod connect;
pub mod http1;
mod load_report;
mod pool;
mod resolve;
mod settings;
mod stream;

pub use address::Address;
pub use backend::{Backend, Identity};
pub use candidates::{Candidates, Member};
pub use connect::connect;
pub use load_report::load_report;
pub use pool::Pools;
pub use resolve::Resolver;
pub use settings::Settings;
pub use stream::Stream;
