//! What is still to be written of a message.

use std::fmt::Write;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use tokio::io::AsyncWrite;

use super::write_trailers;

/// A piece of body up to this size is copied behind its head and sent by one plain write: the
/// kernel takes less time for that than for a vector, and copying so little costs next to nothing.
const JOINED: usize = 2 * 1024;

/// Bytes on their way out: framing that we made and small pieces of body, then at most one large
/// piece that is passed on without a copy, then the end of its framing.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// Heads, chunk size lines, last chunk, small pieces.
    pub(crate) framing: BytesMut,
    body: Bytes,
    tail: &'static [u8],
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.framing.is_empty() && self.body.is_empty() && self.tail.is_empty()
    }

    /// Bytes that are left.
    pub(crate) fn len(&self) -> usize {
        self.framing.len() + self.body.len() + self.tail.len()
    }

    /// May another piece be queued before a flush?
    pub(crate) fn has_room(&self) -> bool {
        self.body.is_empty() && self.framing.len() <= 4 * JOINED
    }

    /// Queues a piece of body, as a chunk if need be. Call it only while there is room.
    pub(crate) fn push(&mut self, body: Bytes, chunked: bool) {
        if body.is_empty() {
            return;
        }
        debug_assert!(self.body.is_empty() && self.tail.is_empty());
        if chunked {
            // Writing to memory cannot fail.
            let _ = write!(self.framing, "{:x}\r\n", body.len());
        }
        let tail: &[u8] = if chunked { b"\r\n" } else { b"" };
        if body.len() <= JOINED {
            self.framing.put_slice(&body);
            self.framing.put_slice(tail);
        } else {
            (self.body, self.tail) = (body, tail);
        }
    }

    /// Queues the end of a chunked body with its trailers. Call it only while there is room.
    pub(crate) fn push_end(&mut self, trailers: Option<&HeaderMap>) {
        write_trailers(trailers, &mut self.framing);
    }

    /// Writes until nothing is left. `sent` becomes true with the first byte the kernel takes.
    pub(crate) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        sent: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = if self.body.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, &self.framing))?
            } else {
                let slices = [&self.framing, &self.body[..], self.tail].map(IoSlice::new);
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent = true;
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        let framing = written.min(self.framing.len());
        self.framing.advance(framing);
        written -= framing;
        let body = written.min(self.body.len());
        self.body.advance(body);
        self.tail = &self.tail[written - body..];
    }
}
