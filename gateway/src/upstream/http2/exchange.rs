//! One request and its answer on a stream of HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::response::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;

use super::lane::Seat;
use crate::http1::{Invalid, may_trail};
use crate::upstream::Error;
use crate::upstream::http1::{Framing, Head};

/// A stream: queue the body, poll the head, poll the answer's body. Dropped before its end it is
/// reset, and the backend learns that nobody waits any more.
#[derive(Debug)]
pub struct Exchange {
    seat: Seat,
    request: SendStream<Bytes>,
    /// A piece of body that has not gone out, for want of window.
    unsent: Bytes,
    /// Nothing follows it.
    last: bool,
    /// Went wrong while queueing; told with the next flush.
    broken: Option<h2::Error>,
    answer: Answer,
    sent: bool,
    answered: bool,
}

#[derive(Debug)]
enum Answer {
    Awaited(Box<ResponseFuture>),
    Body(RecvStream),
    Ended,
}

impl Exchange {
    /// Sends the head of a request. `last`: it has no body.
    ///
    /// # Errors
    /// The connection is about to end: nothing of the request was sent.
    pub fn begin(seat: Seat, head: Request<()>, last: bool) -> Result<Self, Error> {
        let (response, request) = seat.send(head, last).map_err(Error::Refused)?;
        let answer = Answer::Awaited(Box::new(response));
        Ok(Self {
            seat,
            request,
            unsent: Bytes::new(),
            last,
            broken: None,
            answer,
            sent: true,
            answered: false,
        })
    }

    pub(in crate::upstream) fn has_sent(&self) -> bool {
        self.sent
    }

    pub(in crate::upstream) fn has_answered(&self) -> bool {
        self.answered
    }

    pub(in crate::upstream) fn is_ended(&self) -> bool {
        matches!(self.answer, Answer::Ended)
    }

    pub(in crate::upstream) fn retire(&self) {
        self.seat.retire();
    }

    pub(in crate::upstream) fn send(&mut self, data: Bytes, last: bool) {
        (self.unsent, self.last) = (data, last);
    }

    pub(in crate::upstream) fn send_end(&mut self, trailers: Option<HeaderMap>) {
        if std::mem::replace(&mut self.last, true) {
            return;
        }
        let ended = match trailers.map(without_hops).filter(|trailers| !trailers.is_empty()) {
            Some(trailers) => self.request.send_trailers(trailers),
            None => self.request.send_data(Bytes::new(), true),
        };
        self.broken = ended.err();
    }

    /// Hands what is queued to the connection as far as the backend's window allows.
    pub(in crate::upstream) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(self.failed(error)));
        }
        while !self.unsent.is_empty() {
            self.request.reserve_capacity(self.unsent.len());
            if self.request.capacity() == 0 {
                match ready!(self.request.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Poll::Ready(Err(self.failed(error))),
                    None => return Poll::Ready(Err(Error::Cut)),
                }
            }
            let part = self.unsent.split_to(self.request.capacity().min(self.unsent.len()));
            let last = self.last && self.unsent.is_empty();
            if let Err(error) = self.request.send_data(part, last) {
                return Poll::Ready(Err(self.failed(error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(in crate::upstream) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Error>> {
        let Answer::Awaited(response) = &mut self.answer else { return Poll::Ready(Err(Error::Cut)) };
        if let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx) {
            self.answered = true;
            return Poll::Ready(head(interim.into_parts().0));
        }
        match ready!(Pin::new(&mut **response).poll(cx)) {
            Ok(response) => {
                self.answered = true;
                Poll::Ready(self.take_answer(response))
            }
            Err(error) => Poll::Ready(Err(self.failed(error))),
        }
    }

    fn take_answer(&mut self, response: Response<RecvStream>) -> Result<Head, Error> {
        let (parts, body) = response.into_parts();
        self.answer = if body.is_end_stream() { Answer::Ended } else { Answer::Body(body) };
        head(parts)
    }

    pub(in crate::upstream) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Answer::Body(body) = &mut self.answer else { return Poll::Ready(None) };
        let frame = match ready!(body.poll_data(cx)) {
            Some(Ok(data)) => {
                // What is handed on makes room for as much. It fails only when the stream is over.
                let _ = body.flow_control().release_capacity(data.len());
                if body.is_end_stream() {
                    self.answer = Answer::Ended;
                }
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Err(error)) => Err(error),
            None => ready!(body.poll_trailers(cx)),
        };
        self.answer = Answer::Ended;
        Poll::Ready(match frame {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(without_hops(trailers)))),
            Err(error) => Some(Err(self.failed(error))),
        })
    }

    /// What a failure means. The backend has seen nothing of a stream that it refuses, or that
    /// came after the last one that its GOAWAY names.
    fn failed(&mut self, error: h2::Error) -> Error {
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        if error.is_remote() && (refused || error.is_go_away()) {
            self.sent = false;
            self.seat.retire();
            return Error::Refused(error);
        }
        Error::Http2(error)
    }
}

/// `h2` has seen to the form already: no fields of a connection, a length that is kept.
fn head(parts: Parts) -> Result<Head, Error> {
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::Invalid(Invalid("101 Switching Protocols, which HTTP/2 does not have")));
    }
    // Where the body ends is told by the stream.
    Ok(Head { status: parts.status, headers: parts.headers, framing: Framing::None, keep_alive: true })
}

fn without_hops(mut trailers: HeaderMap) -> HeaderMap {
    if !trailers.keys().all(may_trail) {
        let hops: Vec<_> = trailers.keys().filter(|name| !may_trail(name)).cloned().collect();
        hops.iter().for_each(|name| drop(trailers.remove(name)));
    }
    trailers
}
