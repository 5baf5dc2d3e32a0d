//! What the gateway tells about itself while it works: the access log, one line a request, and
//! its own log, one line an event.
//!
//! Requests never wait for the access log: workers render lines into buffers of their own and
//! hand them to one thread that writes ([`AccessLog`]). When that thread cannot keep up, lines
//! are lost, counted and reported, and the requests go on.

mod access_log;
mod format;
pub mod log;
mod output;
pub mod wall;
mod writer;

pub use access_log::{AccessLog, FLUSH_EVERY, Lines};
pub use format::Format;
pub use log::Log;
pub use output::Target;
