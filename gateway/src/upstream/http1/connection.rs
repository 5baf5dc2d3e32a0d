//! One connection to a backend.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::Frame;
use tokio::io::AsyncWrite;

use super::{Error, Framing, Head, head};
use crate::http1::{Body, Chunked, Found, Outgoing};
use crate::upstream::Stream;

/// Room for a head and a small body; what most answers need.
const FIRST_READ: usize = 4 * 1024;
/// Once a body has filled the buffer a few times it is read in pieces of this size.
const BULK_READ: usize = 128 * 1024;

/// A connection that carries one exchange at a time: queue the request, poll the head, poll the
/// body. All calls are made by the task of the request; nothing happens in between.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    incoming: BytesMut,
    outgoing: Outgoing,
    body: Body,
    /// Has the kernel taken any byte of the current request?
    sent: bool,
    /// Has any byte of the current answer come?
    answered: bool,
    keep_alive: bool,
    next_read: usize,
}

impl Connection {
    /// Takes over a fresh socket.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            incoming: BytesMut::new(),
            outgoing: Outgoing::default(),
            body: Body::Ended,
            sent: false,
            answered: false,
            keep_alive: true,
            next_read: FIRST_READ,
        }
    }

    /// Begins a request. The caller writes its head into the buffer that this returns.
    pub fn begin(&mut self) -> &mut BytesMut {
        self.sent = false;
        self.answered = false;
        self.next_read = FIRST_READ;
        &mut self.outgoing.framing
    }

    /// Has any byte of the current request been handed to the kernel? Until then the backend
    /// cannot have seen it, and it may be sent elsewhere whatever its method.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.sent
    }

    /// Has any byte of the current answer arrived?
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// Writes what is queued.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.outgoing.poll_flush(&mut self.stream, &mut self.sent, cx))?;
        Pin::new(&mut self.stream).poll_flush(cx).map_err(Error::from)
    }

    /// Queues a piece of the request's body. Call it only after a flush.
    pub fn send(&mut self, data: Bytes, chunked: bool) {
        self.outgoing.push(data, chunked);
    }

    /// Queues the end of a chunked body with its trailers.
    pub fn send_end(&mut self, trailers: Option<&HeaderMap>) {
        self.outgoing.push_end(trailers);
    }

    /// The next head, interim (1xx) or final, of the answer to a request with this method.
    /// `upgrades`: the request asked for another protocol; then 101 is the last head, and what
    /// follows is a body without end.
    pub fn poll_head(
        &mut self,
        method: &Method,
        upgrades: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Error>> {
        loop {
            if !self.incoming.is_empty()
                && let Some(head) = head::take(&mut self.incoming, method, upgrades)?
            {
                self.keep_alive = head.keep_alive;
                self.body = match head.framing {
                    Framing::None => Body::Ended,
                    Framing::Length(length) => Body::of_length(length),
                    Framing::Chunked => Body::Chunked(Chunked::default()),
                    Framing::UntilClose => Body::UntilClose,
                };
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(Error::Cut));
            }
            self.answered = true;
        }
    }

    /// The body of the answer, if all of it is here already: most small answers are.
    #[must_use]
    pub fn take_whole_body(&mut self) -> Option<Bytes> {
        self.body.take_whole(&mut self.incoming)
    }

    /// The next piece of the answer's body, or its trailers; none at its end.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            match self.body.decode(&mut self.incoming).map_err(Error::from)? {
                Found::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Found::End(trailers) => {
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Found::More => {}
            }
            if ready!(self.poll_fill(cx))? == 0 {
                if matches!(self.body, Body::UntilClose) {
                    self.body = Body::Ended;
                    return Poll::Ready(None);
                }
                return Poll::Ready(Some(Err(Error::Cut)));
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        self.incoming.reserve(self.next_read);
        let room = self.incoming.capacity() - self.incoming.len();
        let read = ready!(self.stream.poll_read(cx, &mut self.incoming))?;
        if read == room {
            self.next_read = (self.next_read * 2).min(BULK_READ);
        }
        Poll::Ready(Ok(read))
    }

    /// Has the answer ended?
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.body.is_ended()
    }

    /// May it serve another request? Only if the backend keeps it open, nothing of the request is
    /// unsent, the answer ended, and not one byte is left over.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.keep_alive && self.is_ended() && self.outgoing.is_empty() && self.incoming.is_empty()
    }

    /// Is it still open and silent, as an idle connection should be?
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }
}
