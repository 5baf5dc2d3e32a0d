//! What can go wrong with an answer.

use std::io;

use thiserror::Error;

use crate::http1;

/// Why an exchange with a backend failed after the connection stood.
#[derive(Debug, Error)]
pub enum Error {
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The backend closed the connection before the answer's end.
    #[error("the backend closed the connection before the end of its answer")]
    Cut,
    /// The answer was not HTTP, or framed in a way that two readers could read differently.
    #[error("the backend's answer is not valid HTTP: {0}")]
    Invalid(#[from] http1::Invalid),
    /// The answer's head is larger than the gateway reads.
    #[error("the head of the backend's answer is larger than {0} bytes")]
    HeadTooLarge(usize),
    /// The backend has refused the request before it did anything with it (RFC 9113 section 8.7):
    /// it may be sent again, whatever it is.
    #[error("the backend has not taken the request: {0}")]
    Refused(h2::Error),
    /// The backend ended the request, or its HTTP/2 connection failed.
    #[error("HTTP/2: {0}")]
    Http2(h2::Error),
}
