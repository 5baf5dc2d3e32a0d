//! The body of a request, whichever version of HTTP it comes by.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http_body::{Body, Frame};
use thiserror::Error;

/// A body that is cut, or not framed as it should be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the request's body is cut or not framed as it should be")]
pub struct Malformed;

/// Where bodies come from on an HTTP/1.1 connection.
pub(super) trait Source {
    /// The next piece, or the trailers; none at the end.
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Malformed>>>;
    fn is_ended(&self) -> bool;
    /// From here on, everything that comes is the body.
    fn begin_tunnel(&self);
}

/// The body of a request on its way in. It is read when it is polled and at no other time, so a
/// client is never faster than whoever takes its body.
#[derive(Debug)]
pub struct Incoming {
    kind: Kind,
    declared: Option<u64>,
}

enum Kind {
    Empty,
    /// None yet; the client asked for another protocol, whose bytes would follow.
    Upgrade(Rc<dyn Source>),
    Http1(Rc<dyn Source>),
    Http2(hyper::body::Incoming),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Upgrade(_) => "Upgrade",
            Self::Http1(_) => "Http1",
            Self::Http2(_) => "Http2",
        })
    }
}

impl Incoming {
    pub(super) fn empty(declared: Option<u64>) -> Self {
        Self { kind: Kind::Empty, declared }
    }

    pub(super) fn http1(source: Rc<dyn Source>, declared: Option<u64>) -> Self {
        Self { kind: Kind::Http1(source), declared }
    }

    pub(super) fn upgrade(source: Rc<dyn Source>, declared: Option<u64>) -> Self {
        Self { kind: Kind::Upgrade(source), declared }
    }

    pub(super) fn http2(incoming: hyper::body::Incoming, headers: &HeaderMap) -> Self {
        // Only of an empty body it is not known without a look whether its length was declared.
        let length = incoming.size_hint().exact();
        let declared = length.filter(|length| *length > 0 || headers.contains_key(header::CONTENT_LENGTH));
        Self { kind: Kind::Http2(incoming), declared }
    }

    /// Its length in bytes, if the client declared it.
    #[must_use]
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Does the client ask to go on in another protocol (RFC 9110 section 7.8)?
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        matches!(self.kind, Kind::Upgrade(_))
    }

    /// Makes everything that follows the request its body, until the client closes. Only a
    /// request that asks for an upgrade can become a tunnel; others stay as they are.
    pub fn begin_tunnel(&mut self) {
        if let Kind::Upgrade(source) = std::mem::replace(&mut self.kind, Kind::Empty) {
            source.begin_tunnel();
            self.kind = Kind::Http1(source);
        }
    }

    /// Has all of it been read?
    #[must_use]
    pub fn is_ended(&self) -> bool {
        match &self.kind {
            Kind::Empty | Kind::Upgrade(_) => true,
            Kind::Http1(source) => source.is_ended(),
            Kind::Http2(incoming) => incoming.is_end_stream(),
        }
    }

    /// The next piece, or the trailers; none at the end.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Malformed>>> {
        match &mut self.kind {
            Kind::Empty | Kind::Upgrade(_) => Poll::Ready(None),
            Kind::Http1(source) => source.poll_frame(cx),
            Kind::Http2(incoming) => {
                Pin::new(incoming).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|_| Malformed)))
            }
        }
    }
}
