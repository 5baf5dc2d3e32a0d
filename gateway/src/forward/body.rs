//! The body of an answer on its way to the client.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use thiserror::Error;

use super::Worker;
use super::attempt::{Answered, Attempt};
use super::compressed::Compressed;
use super::pump::{Stop, pump};
use super::request_body::RequestBody;
use super::story::Story;
use crate::alarm::Alarm;
use crate::limit::Presence;
use crate::stats::{Verdict, clock};
use crate::upstream::Carrier;

const SILENT: &str = "nothing came for too long (read_timeout)";
const OVERDUE: &str = "the request's time was up (timeout)";

/// The backend's answer ended before its end; the client's connection must end too, so that the
/// answer looks to it as cut as it is.
#[derive(Debug, Error)]
#[error("the backend's answer was cut")]
pub struct Cut;

/// A body that is whole, or comes from a backend.
#[derive(Debug)]
pub struct Body {
    source: Source,
    /// When there is an access log, the story is told when the body ends.
    story: Option<Box<Story>>,
    /// Where the request is counted until the body has ended.
    held: Box<[Presence]>,
}

#[derive(Debug)]
pub(super) enum Source {
    Whole(Bytes),
    Relay(Box<Relay>),
    Compressed(Box<Compressed>),
}

impl Source {
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Relay(relay) => relay.poll_frame(cx),
            Self::Compressed(compressed) => compressed.poll_frame(cx),
        }
    }

    fn relay(&self) -> Option<&Relay> {
        match self {
            Self::Whole(_) => None,
            Self::Relay(relay) => Some(relay),
            Self::Compressed(compressed) => compressed.source.relay(),
        }
    }
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { source: Source::Whole(bytes), story: None, held: Box::default() }
    }

    pub(super) fn relay(answered: Answered, request: RequestBody, worker: Rc<Worker>) -> Self {
        let Answered { carrier, attempt, alarm, .. } = answered;
        attempt.wait_with(&alarm);
        let relay = Relay { carrier: Some(carrier), attempt, request, alarm, worker, cut: false };
        Self { source: Source::Relay(Box::new(relay)), story: None, held: Box::default() }
    }

    /// Keeps the story until the body has ended.
    pub(super) fn keep(&mut self, story: Box<Story>) {
        self.story = Some(story);
    }

    /// Holds these until the body has ended.
    pub(super) fn hold(&mut self, held: Box<[Presence]>) {
        self.held = held;
    }

    /// Takes the content out, to be put back as something else.
    pub(super) fn take_source(&mut self) -> Source {
        std::mem::replace(&mut self.source, Source::Whole(Bytes::new()))
    }

    pub(super) fn set_source(&mut self, source: Source) {
        self.source = source;
    }

    fn note(&mut self, frame: Option<&Frame<Bytes>>) {
        let Some(story) = &mut self.story else { return };
        story.body_bytes += frame.and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        if let Some(relay) = self.source.relay()
            && relay.carrier.is_none()
        {
            story.end_attempt(clock::span(relay.attempt.began(), clock::now()));
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = ready!(self.source.poll_frame(cx));
        self.note(frame.as_ref().and_then(|frame| frame.as_ref().ok()));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Relay(relay) => relay.carrier.is_none() && !relay.cut,
            Source::Compressed(compressed) => compressed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            // A declared length is in the fields, which come first.
            Source::Relay(_) | Source::Compressed(_) => SizeHint::default(),
        }
    }
}

/// An answer being relayed. It carries the attempt to its end: dropping it, because the client
/// left, closes the backend's connection and so ends the request there.
#[derive(Debug)]
pub(super) struct Relay {
    /// None when the answer has ended.
    carrier: Option<Carrier>,
    attempt: Attempt,
    /// What is left of the request, if the backend answered early.
    request: RequestBody,
    alarm: Alarm,
    worker: Rc<Worker>,
    /// The answer is cut; the client is told with the next poll, so that what came before the
    /// cut is flushed first.
    cut: bool,
}

impl Relay {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(carrier) = &mut self.carrier else {
            return Poll::Ready(self.cut.then_some(Err(Cut)));
        };
        if !self.request.is_ended() {
            let before = self.request.received();
            if let Err(Stop::Client(_) | Stop::Backend(_)) = pump(carrier, &mut self.request, cx) {
                self.request.abandon();
            }
            if self.request.received() != before {
                self.attempt.wait_with(&self.alarm);
            }
        }
        match carrier.poll_body(cx) {
            Poll::Pending if self.alarm.poll(cx).is_ready() => {
                self.complain(if self.attempt.deadline.has_passed() { OVERDUE } else { SILENT });
                self.cut(Verdict::TimedOut, cx)
            }
            Poll::Pending => Poll::Pending,
            // It goes on, but for too long; or the client is slow.
            Poll::Ready(Some(Ok(_))) if self.attempt.deadline.has_passed() && !carrier.is_ended() => {
                self.complain(OVERDUE);
                self.cut(Verdict::Cancelled, cx)
            }
            Poll::Ready(Some(Err(error))) => {
                self.complain(&error.to_string());
                self.cut(Verdict::Broken, cx)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if carrier.is_ended() {
                    self.finish();
                } else {
                    self.attempt.wait_with(&self.alarm);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }

    fn complain(&self, reason: &str) {
        let (upstream, backend) = (self.attempt.upstream_name(), &self.attempt.backend().name);
        self.worker.of_backends.make(|more| {
            tracing::warn!("upstream {upstream}: {backend}: the answer is cut: {reason}{more}");
        });
    }

    fn finish(&mut self) {
        let now = self.attempt.complete(clock::now()).now;
        if let Some(carrier) = self.carrier.take()
            && self.request.is_passed_on()
        {
            keep(&self.worker, &self.attempt, carrier, now);
        }
    }

    /// Ends the attempt, and yields once before the error: what was not flushed is dropped when a stream of
    /// HTTP/2 is reset, and the client shall see how far the backend came.
    fn cut(&mut self, verdict: Verdict, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.attempt.end(verdict);
        if let Some(carrier) = self.carrier.take().filter(|_| verdict == Verdict::TimedOut) {
            carrier.mistrust();
        }
        self.cut = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Keeps a connection whose exchange has ended for the next request, if it can serve one. Of
/// HTTP/2 only a stream has ended.
pub(super) fn keep(worker: &Worker, attempt: &Attempt, carrier: Carrier, now: u64) {
    if let Carrier::Http1(connection) = carrier
        && connection.is_reusable()
    {
        worker.pools.put(attempt.backend().slot, connection, attempt.settings().idle_connections, now);
    }
}
