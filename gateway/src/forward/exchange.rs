//! The request going out and the head of the answer coming in.

use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, StatusCode};

use super::attempt::Attempt;
use super::deadline::Deadline;
use super::pump::{Stop, Waiting, pump};
use super::request_body::RequestBody;
use super::retry::{Cause, FailureKind};
use crate::alarm::Alarm;
use crate::http1::Invalid;
use crate::upstream::http1::Head;
use crate::upstream::{Carrier, Error};

/// Most interim answers of one exchange: more is a flood.
const MAX_INTERIM: u32 = 16;

pub(super) struct Timeouts {
    client: Duration,
    send: Duration,
    read: Duration,
    all: Deadline,
}

impl Timeouts {
    pub(super) fn of(attempt: &Attempt, client: Duration) -> Self {
        let settings = attempt.settings();
        let (send, read) = (settings.send_timeout, settings.read_timeout);
        Self { client, send, read, all: attempt.deadline }
    }
}

/// The request going out and the head of the answer coming in, at the same time: a backend may
/// answer before it has taken all of the body.
pub(super) struct Exchange<'a> {
    carrier: &'a mut Carrier,
    body: &'a mut RequestBody,
    alarm: &'a Alarm,
    timeouts: Timeouts,
    waiting: Option<Waiting>,
    moved: u64,
    interim: u32,
    /// The backend stopped taking the request; it may have answered all the same.
    broken: Option<Error>,
}

impl<'a> Exchange<'a> {
    /// The request's head is queued; nothing has been sent.
    pub(super) fn new(
        carrier: &'a mut Carrier,
        body: &'a mut RequestBody,
        alarm: &'a Alarm,
        timeouts: Timeouts,
    ) -> Self {
        Self { carrier, body, alarm, timeouts, waiting: None, moved: 0, interim: 0, broken: None }
    }

    /// Ready with the next head, interim or final, or with what went wrong.
    pub(super) fn poll(&mut self, method: &Method, cx: &mut Context<'_>) -> Poll<Result<Head, FailureKind>> {
        if let Err(kind) = self.send(cx) {
            return Poll::Ready(Err(kind));
        }
        match self.carrier.poll_head(method, self.body.is_upgrade(), cx) {
            Poll::Ready(Ok(head)) => Poll::Ready(self.count_interim(head)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(self.broken.as_ref().unwrap_or(&error)))),
            Poll::Pending if self.alarm.poll(cx).is_ready() => Poll::Ready(Err(self.timed_out())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), FailureKind> {
        let waiting = match pump(self.carrier, self.body, cx) {
            Ok(waiting) => waiting,
            Err(Stop::Client(error)) => return Err(FailureKind::Body(error)),
            Err(Stop::Backend(error)) => {
                self.broken.get_or_insert(error);
                self.body.pause();
                Waiting::Answer
            }
        };
        if self.waiting != Some(waiting) || self.moved != self.body.received() {
            self.waiting = Some(waiting);
            self.moved = self.body.received();
            let limit = match waiting {
                Waiting::Client => self.timeouts.client,
                Waiting::Backend => self.timeouts.send,
                Waiting::Answer => self.timeouts.read,
            };
            self.timeouts.all.set(self.alarm, limit);
        }
        Ok(())
    }

    fn count_interim(&mut self, head: Head) -> Result<Head, FailureKind> {
        self.interim += u32::from(is_interim(head.status));
        if self.interim > MAX_INTERIM {
            return Err(broken(&Error::Invalid(Invalid("a flood of interim answers"))));
        }
        Ok(head)
    }

    fn timed_out(&self) -> FailureKind {
        match self.waiting {
            Some(Waiting::Client) if self.timeouts.all.has_passed() => FailureKind::Overdue,
            Some(Waiting::Client) => FailureKind::BodyTimeout,
            _ if self.timeouts.all.has_passed() => FailureKind::Backend(
                Cause::Overdue,
                "no answer before the request's time was up (timeout)".into(),
            ),
            Some(Waiting::Backend) => {
                FailureKind::Backend(Cause::Timeout, "it stopped taking the request (send_timeout)".into())
            }
            _ => FailureKind::Backend(Cause::Timeout, "no answer in time (read_timeout)".into()),
        }
    }
}

/// Will another head follow this one?
pub(super) fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

fn broken(error: &Error) -> FailureKind {
    let cause = match error {
        Error::Io(_) | Error::Cut | Error::Refused(_) | Error::Http2(_) => Cause::Broken,
        Error::Invalid(_) | Error::HeadTooLarge(_) => Cause::Invalid,
    };
    FailureKind::Backend(cause, error.to_string().into())
}
