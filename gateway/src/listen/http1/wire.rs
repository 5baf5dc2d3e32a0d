//! The client's socket, and the bytes on their way in and out.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::head::{self, Head};
use crate::http1::{Body, Found, Outgoing};
use crate::listen::incoming::Source;
use crate::listen::registry::FIRST_READ;
use crate::listen::{Malformed, Peer, Registry, Unreadable};

/// Once a body has filled the buffer a few times it is read in pieces of this size.
const BULK_READ: usize = 128 * 1024;

/// One client's connection. It holds no buffer while nothing is on its way.
#[derive(Debug)]
pub(super) struct Wire<S> {
    socket: S,
    /// Read and not yet understood: a part of a head, a body, requests behind the present one.
    incoming: BytesMut,
    /// Length of an incomplete head when it was last looked at.
    looked: usize,
    /// Of the present request.
    body: Body,
    next_read: usize,
    expects_continue: bool,
    pub(super) outgoing: Outgoing,
    peer: Rc<Peer>,
    registry: Rc<Registry>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(socket: S, first: BytesMut, peer: Rc<Peer>, registry: Rc<Registry>) -> Self {
        Self {
            socket,
            incoming: first,
            looked: 0,
            body: Body::Ended,
            next_read: FIRST_READ,
            expects_continue: false,
            outgoing: Outgoing::default(),
            peer,
            registry,
        }
    }

    /// Has anything come that was not asked for yet?
    pub(super) fn has_incoming(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// Has something come, or is to come, that was not taken?
    pub(super) fn is_unread(&self) -> bool {
        !self.body.is_ended() || !self.incoming.is_empty()
    }

    pub(super) fn is_body_ended(&self) -> bool {
        self.body.is_ended()
    }

    /// The next head; none at the end of the stream. A connection that ends inside a head is no
    /// request either: there is nobody to be told.
    pub(super) fn poll_head(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Head, Unreadable>>> {
        loop {
            // What comes in drops is not parsed anew for each of them.
            if self.incoming.len() > self.looked + self.looked / 8 || self.incoming.ends_with(b"\n") {
                match head::take(&mut self.incoming, most) {
                    Ok(Some(head)) => return Poll::Ready(Some(Ok(self.begin(head)))),
                    Ok(None) => self.looked = self.incoming.len(),
                    Err(bad) => return Poll::Ready(Some(Err(bad))),
                }
            }
            match ready!(self.poll_fill(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(None),
            }
        }
    }

    fn begin(&mut self, mut head: Head) -> Head {
        self.looked = 0;
        self.expects_continue = head.expects_continue;
        std::mem::swap(&mut self.body, &mut head.body);
        head
    }

    /// Reads what is there: a beginning into the worker's piece, a continuation behind it.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let socket = Pin::new(&mut self.socket);
        if !self.incoming.is_empty() || self.next_read > FIRST_READ {
            self.incoming.reserve(self.next_read);
            return poll_read_buf(socket, cx, &mut self.incoming);
        }
        let mut chunk = self.registry.chunk();
        let read = ready!(poll_read_buf(socket, cx, &mut *chunk));
        self.incoming = chunk.split();
        Poll::Ready(read)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Malformed>>> {
        if std::mem::take(&mut self.expects_continue) && self.incoming.is_empty() {
            self.peer.send_interim(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        loop {
            match self.body.decode(&mut self.incoming) {
                Ok(Found::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Found::End(trailers)) => {
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Ok(Found::More) => {}
                Err(_) => return Poll::Ready(Some(Err(Malformed))),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) if matches!(self.body, Body::UntilClose) => self.body = Body::Ended,
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Malformed))),
                // A full buffer: there is more where this comes from.
                Ok(read) if read >= self.next_read => {
                    self.next_read = (self.next_read * 2).min(BULK_READ);
                }
                Ok(_) => {}
            }
        }
    }

    /// Ready when the client has left while its request is served. What it sent behind the
    /// request is kept; while there is such, nobody looks further.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.body.is_ended() || !self.incoming.is_empty() {
            return Poll::Pending;
        }
        self.next_read = FIRST_READ;
        match ready!(self.poll_fill(cx)) {
            Ok(1..) => Poll::Pending,
            Ok(0) | Err(_) => Poll::Ready(()),
        }
    }

    /// Writes what is queued.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = false;
        ready!(self.outgoing.poll_flush(&mut self.socket, &mut sent, cx))?;
        // A plain socket has nothing of its own to flush; TLS may.
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Queues and writes interim answers.
    pub(super) fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer.interim.borrow().is_empty() {
            return Poll::Pending;
        }
        self.queue_interim();
        self.poll_flush(cx)
    }

    /// Queues interim answers that came together with the final one, ahead of it.
    pub(super) fn queue_interim(&mut self) {
        let mut interim = self.peer.interim.borrow_mut();
        if !interim.is_empty() {
            self.outgoing.framing.extend_from_slice(&interim);
            interim.clear();
        }
    }

    /// Makes room for the next request: true if this one's body has ended, or does so with what
    /// has arrived.
    pub(super) fn finish_body(&mut self, cx: &mut Context<'_>) -> bool {
        if self.expects_continue {
            return false;
        }
        while !self.body.is_ended() {
            match self.poll_frame(cx) {
                Poll::Ready(Some(Ok(_)) | None) => {}
                Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
            }
        }
        self.next_read = FIRST_READ;
        if self.incoming.is_empty() {
            self.incoming = BytesMut::new();
        }
        true
    }

    /// Says that nothing more will be sent.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// Takes in what the client still sends, for nobody; 0 at the end.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.incoming = BytesMut::new();
        // Whatever it is the body of, it goes on until the client stops.
        self.body = Body::UntilClose;
        self.poll_fill(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Source for RefCell<Wire<S>> {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Malformed>>> {
        self.borrow_mut().poll_frame(cx)
    }

    fn is_ended(&self) -> bool {
        self.borrow().body.is_ended()
    }

    fn begin_tunnel(&self) {
        self.borrow_mut().body = Body::UntilClose;
    }
}
