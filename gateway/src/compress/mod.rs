//! Content codings: which one a client wants, which answers are worth one, and the encoders.
//! Knows no sockets and no requests; fields come in as they are.

mod accept;
mod encoder;
mod settings;

pub use accept::choose;
pub use encoder::{Coding, Encoder, Levels};
pub use settings::{Compression, Types};
