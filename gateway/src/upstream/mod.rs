//! Upstreams: named sets of backends, and the ways to talk to them. Knows no routes and no
//! policies.

mod address;
mod backend;
mod candidates;
mod carrier;
pub mod check;
mod connect;
mod error;
pub mod health;
pub mod http1;
pub mod http2;
mod load_report;
mod pool;
mod queue;
mod resolve;
mod retry;
mod sessions;
mod settings;
mod stream;
mod tls;

pub use address::Address;
pub use backend::{Backend, Identity};
pub use candidates::{Candidates, Member};
pub use carrier::Carrier;
pub use connect::connect;
pub use error::Error;
pub use load_report::load_report;
pub use pool::Pools;
pub use queue::{Queue, QueueTotals};
pub use resolve::Resolver;
pub use retry::{Budget, Retry, RetryOn};
pub use sessions::{Memory, Sessions};
pub use settings::{Protocol, QueueLimits, Settings};
pub use stream::Stream;
pub use tls::{Tls, TlsSettings, Verify};
