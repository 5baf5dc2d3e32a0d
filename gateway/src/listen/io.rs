//! The client's socket, as hyper sees it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::{Peer, Settings};

/// A socket whose first bytes may have been read already, and that notes what the connection
/// waits for: bytes that come, writes that stall.
#[derive(Debug)]
pub(super) struct ClientIo<S> {
    socket: TokioIo<S>,
    /// Read while finding out which protocol the client speaks.
    first: BytesMut,
    peer: Rc<Peer>,
    /// Where small writes are joined; shared by all connections of the worker.
    scratch: Rc<RefCell<Vec<u8>>>,
    header_timeout: Duration,
    send_timeout: Duration,
}

/// Room for the first bytes of a request on a parked connection.
const FIRST_READ: usize = 1024;

/// Head and body up to this size are joined and sent by one plain write: the kernel takes less
/// time for that than for a vector, and copying so little costs next to nothing.
const JOINED: usize = 2 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> ClientIo<S> {
    pub(super) fn new(
        socket: S,
        first: BytesMut,
        peer: Rc<Peer>,
        scratch: Rc<RefCell<Vec<u8>>>,
        settings: &Settings,
    ) -> Self {
        let (header_timeout, send_timeout) = (settings.header_timeout, settings.send_timeout);
        Self { socket: TokioIo::new(socket), first, peer, scratch, header_timeout, send_timeout }
    }

    /// The bare socket, once hyper is done with it.
    pub(super) fn into_socket(self) -> S {
        self.socket.into_inner()
    }

    /// Reads the first bytes of a request while nobody else reads. False at the end of the stream.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.first.reserve(FIRST_READ);
        let read = ready!(poll_read_buf(Pin::new(self.socket.inner_mut()), cx, &mut self.first));
        self.peer.note_bytes(self.header_timeout);
        Poll::Ready(matches!(read, Ok(1..)))
    }

    /// Writes interim answers that hyper does not know of, before anything of its own.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut interim = self.peer.interim.borrow_mut();
        while !interim.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &interim))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            interim.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn note_write<T>(&self, poll: Poll<T>) -> Poll<T> {
        self.peer.note_stall(poll.is_pending(), self.send_timeout);
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let length = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first[..length]);
            self.first.advance(length);
            if self.first.is_empty() {
                self.first = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if read.is_ready() {
            self.peer.note_bytes(self.header_timeout);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        let write = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.note_write(write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        let this = &mut *self;
        let write = if bufs.iter().map(|buf| buf.len()).sum::<usize>() <= JOINED {
            let mut joined = this.scratch.borrow_mut();
            joined.clear();
            bufs.iter().for_each(|buf| joined.extend_from_slice(buf));
            Pin::new(&mut this.socket).poll_write(cx, &joined)
        } else {
            Pin::new(&mut this.socket).poll_write_vectored(cx, bufs)
        };
        self.note_write(write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_interim(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
