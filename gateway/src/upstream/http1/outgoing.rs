//! What is still to be written of a request.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};

use crate::upstream::Stream;

/// Bytes on their way to the backend: framing that we made, then at most one piece of body that
/// is passed on without a copy, then the end of its framing.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Head, chunk size lines, last chunk.
    pub(super) framing: BytesMut,
    body: Bytes,
    tail: &'static [u8],
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.framing.is_empty() && self.body.is_empty() && self.tail.is_empty()
    }

    /// Queues a piece of body of declared length.
    pub(super) fn push(&mut self, body: Bytes) {
        debug_assert!(self.body.is_empty() && self.tail.is_empty());
        self.body = body;
    }

    /// Queues a piece of body as one chunk.
    pub(super) fn push_chunk(&mut self, body: Bytes) {
        use std::fmt::Write;
        // Writing to memory cannot fail.
        let _ = write!(self.framing, "{:x}\r\n", body.len());
        self.push(body);
        self.tail = b"\r\n";
    }

    /// Writes until nothing is left. `sent` becomes true with the first byte the kernel takes.
    pub(super) fn poll_flush(
        &mut self,
        stream: &mut Stream,
        sent: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = if self.body.is_empty() && self.tail.is_empty() {
                ready!(stream.poll_write(cx, &self.framing))?
            } else {
                let slices = [&self.framing, &self.body[..], self.tail].map(IoSlice::new);
                ready!(stream.poll_write_vectored(cx, &slices))?
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
