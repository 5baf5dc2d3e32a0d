//! The body of a request, whichever version of HTTP it comes by.

use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};
use http_body::Frame;
use thiserror::Error;

use super::http2::Interim;

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
    Http2(Box<Http2>),
}

/// The body of a request that came by HTTP/2.
struct Http2 {
    stream: RecvStream,
    interim: Interim,
    /// The client waits for a word of ours.
    expects_continue: bool,
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

    /// `headers` are those of its request.
    pub(super) fn http2(stream: RecvStream, headers: &HeaderMap, interim: Interim) -> Self {
        // `h2` has seen to it that it is a number, and compares the body with it.
        let declared =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        let expects_continue = headers.get(header::EXPECT).is_some_and(expects);
        Self { kind: Kind::Http2(Box::new(Http2 { stream, interim, expects_continue })), declared }
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
            Kind::Http2(http2) => http2.stream.is_end_stream(),
        }
    }

    /// The next piece, or the trailers; none at the end.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Malformed>>> {
        match &mut self.kind {
            Kind::Empty | Kind::Upgrade(_) => Poll::Ready(None),
            Kind::Http1(source) => source.poll_frame(cx),
            Kind::Http2(http2) => http2.poll_frame(cx),
        }
    }

    /// Where answers before the answer go (RFC 9110 section 15.2), if the request came by HTTP/2.
    #[must_use]
    pub fn interim(&self) -> Option<Interim> {
        match &self.kind {
            Kind::Http2(http2) => Some(http2.interim.clone()),
            _ => None,
        }
    }
}

impl Http2 {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Malformed>>> {
        let Poll::Ready(data) = self.stream.poll_data(cx) else {
            if std::mem::take(&mut self.expects_continue) {
                self.interim.push(StatusCode::CONTINUE, HeaderMap::new());
            }
            return Poll::Pending;
        };
        let frame = match data {
            Some(Ok(data)) => {
                // What is handed on makes room for as much. It fails only when the stream is over.
                let _ = self.stream.flow_control().release_capacity(data.len());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Err(error)) => Err(error),
            None => ready!(self.stream.poll_trailers(cx)),
        };
        // A stream that its client takes back has no end, only a body that is cut.
        Poll::Ready(frame.map(|trailers| trailers.map(Frame::trailers)).map_err(|_| Malformed).transpose())
    }
}
