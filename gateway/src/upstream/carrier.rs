//! What carries one exchange with a backend, whichever protocol it speaks.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Frame;

use super::http1::{Connection, Head};
use super::{Error, http2};

/// One exchange with a backend: a connection of HTTP/1.1, or a stream of HTTP/2. It is driven by
/// the task of the request. Dropped before its end, it ends the exchange at the backend too: the
/// connection is closed, the stream reset.
#[derive(Debug)]
pub enum Carrier {
    /// HTTP/1.1.
    Http1(Box<Connection>),
    /// HTTP/2.
    Http2(Box<http2::Exchange>),
}

impl Carrier {
    /// May the backend have seen any of the request? If not, it may be sent elsewhere whatever
    /// its method.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.has_sent(),
            Self::Http2(exchange) => exchange.has_sent(),
        }
    }

    /// Has any of the answer come?
    #[must_use]
    pub fn has_answered(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.has_answered(),
            Self::Http2(exchange) => exchange.has_answered(),
        }
    }

    /// Writes what is queued.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self {
            Self::Http1(connection) => connection.poll_flush(cx),
            Self::Http2(exchange) => exchange.poll_flush(cx),
        }
    }

    /// Queues a piece of the request's body; after a flush. `chunked`: its length is not declared.
    /// `last`: it is known that nothing follows, not even an end.
    pub fn send(&mut self, data: Bytes, chunked: bool, last: bool) {
        match self {
            Self::Http1(connection) => connection.send(data, chunked),
            Self::Http2(exchange) => exchange.send(data, last),
        }
    }

    /// Queues the end of the request's body; after a flush. Trailers need a body without length.
    pub fn send_end(&mut self, trailers: Option<HeaderMap>, chunked: bool) {
        match self {
            Self::Http1(connection) if chunked => connection.send_end(trailers.as_ref()),
            Self::Http1(_) => {}
            Self::Http2(exchange) => exchange.send_end(trailers),
        }
    }

    /// The next head, interim or final, of the answer to a request with this method. `upgrades`: it
    /// asked for another protocol, which HTTP/2 backends do not switch to.
    pub fn poll_head(
        &mut self,
        method: &Method,
        upgrades: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Error>> {
        match self {
            Self::Http1(connection) => connection.poll_head(method, upgrades, cx),
            Self::Http2(exchange) => exchange.poll_head(cx),
        }
    }

    /// The body of the answer, if all of it is here already.
    #[must_use]
    pub fn take_whole_body(&mut self) -> Option<Bytes> {
        match self {
            Self::Http1(connection) => connection.take_whole_body(),
            Self::Http2(exchange) => exchange.is_ended().then(Bytes::new),
        }
    }

    /// The next piece of the answer's body, or its trailers; none at its end.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self {
            Self::Http1(connection) => connection.poll_body(cx),
            Self::Http2(exchange) => exchange.poll_body(cx),
        }
    }

    /// Has the answer ended?
    #[must_use]
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_ended(),
            Self::Http2(exchange) => exchange.is_ended(),
        }
    }

    /// The backend has fallen silent. A connection of HTTP/1.1 ends with its exchange; one of
    /// HTTP/2 gets no further requests, for it may be dead without anybody having said so.
    pub fn mistrust(&self) {
        if let Self::Http2(exchange) = self {
            exchange.retire();
        }
    }
}
