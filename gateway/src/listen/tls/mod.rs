//! TLS on client connections: which certificate for which name, the handshake, and what came of
//! it. A handshake runs in the connection's own task, never in the accept loop.

mod handshake;
mod hello;
mod names;
mod session;
mod settings;
mod terminator;

pub(super) use handshake::serve;
pub use session::{Client, Session};
pub use settings::{Clients, Settings};
pub use terminator::{Counts, Terminator, Terms};
