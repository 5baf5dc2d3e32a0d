//! What both ends of the gateway know of HTTP/1.1's bytes: fields, lengths, chunks, and bytes on
//! their way out. Clients' connections are in [`crate::listen`], backends' in
//! [`crate::upstream`]. Everything is read strictly: what two readers could understand
//! differently is an error, never an interpretation (RFC 9112).

mod body;
mod chunked;
mod fields;
mod outgoing;

use thiserror::Error;

pub(crate) use body::Body;
pub(crate) use chunked::{Chunked, Found, may_trail};
pub(crate) use fields::{Place, decimal, offence};
pub(crate) use outgoing::Outgoing;

use chunked::write_trailers;

/// Bytes that are not HTTP/1.1, or could be read in two ways. Names the part that is wrong.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Invalid(pub &'static str);
