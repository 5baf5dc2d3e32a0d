//! The PROXY protocol: how a proxy tells the next one, ahead of everything else on a connection,
//! who has connected to it. Bytes and addresses only.
//!
//! After "The PROXY protocol", versions 1 and 2, of HAProxy:
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>

mod read;
mod write;

use std::net::SocketAddr;

pub use read::{Found, Invalid, LONGEST, read};
pub use write::write;

/// What version 2 begins with (section 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// How the header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Who connected, and where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// The address that it connected to.
    pub destination: SocketAddr,
}
