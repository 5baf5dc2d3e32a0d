//! The gateway's own HTTP/1.1 client.
//!
//! It is driven inside the task of the request it serves: no task of its own, no channel. And it
//! knows what a gateway must know of its backends: whether any byte of a request was handed to
//! the kernel (may it be sent again?), which interim answers came, whether bytes are left over
//! (never use that connection again), and whether an answer was cut.

mod connection;
mod framing;
mod head;

pub use connection::Connection;
pub use framing::Framing;
pub use head::Head;

pub(super) use head::MAX_HEAD;

use super::Error;
