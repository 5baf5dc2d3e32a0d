//! HTTP/2 towards backends (RFC 9113), over the crate `h2`, which is what hyper speaks it with.
//!
//! hyper's own client would hide what a gateway must know: how many streams a backend allows, and
//! whether it has seen a request that it did not answer. Only the connection has a task of its
//! own, which moves frames; each exchange is driven inside the task of its request.

mod exchange;
mod lane;
mod lanes;

pub use exchange::Exchange;
pub use lane::Seat;
pub use lanes::Lanes;
