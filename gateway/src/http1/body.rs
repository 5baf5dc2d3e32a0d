//! Where a body ends.

use bytes::{Bytes, BytesMut};

use super::{Chunked, Found, Invalid};

/// How far the body of a message has come, and how its end will be known (RFC 9112 section 6.3).
#[derive(Debug)]
pub(crate) enum Body {
    /// So many bytes are to come.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// Everything until the connection closes.
    UntilClose,
    /// Nothing more comes.
    Ended,
}

impl Body {
    /// Of a declared length.
    pub(crate) fn of_length(length: u64) -> Self {
        if length == 0 { Self::Ended } else { Self::Length(length) }
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// All of it, if all of it is in the buffer already: most small bodies are.
    pub(crate) fn take_whole(&mut self, buffer: &mut BytesMut) -> Option<Bytes> {
        match *self {
            Self::Ended => Some(Bytes::new()),
            Self::Length(length) if length <= buffer.len() as u64 => {
                *self = Self::Ended;
                Some(buffer.split_to(length as usize).freeze())
            }
            _ => None,
        }
    }

    /// Takes what the buffer holds of it.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Found, Invalid> {
        match self {
            Self::Ended => Ok(Found::End(None)),
            Self::Chunked(state) => {
                let found = state.decode(buffer)?;
                if matches!(found, Found::End(_)) {
                    *self = Self::Ended;
                }
                Ok(found)
            }
            _ if buffer.is_empty() => Ok(Found::More),
            Self::UntilClose => Ok(Found::Data(buffer.split().freeze())),
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                Ok(Found::Data(buffer.split_to(taken).freeze()))
            }
        }
    }
}
