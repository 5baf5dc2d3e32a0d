//! May a request that failed be sent to another backend?

use std::borrow::Cow;
use std::time::Duration;

use http::{Method, StatusCode};

use super::answer::Refusal;
use super::attempt::Answered;
use super::body::keep;
use super::pick::Who;
use super::request_body::{BodyError, RequestBody};
use super::story::Story;
use crate::stats::{Verdict, clock};
use crate::upstream::RetryOn;

/// Why an attempt got no answer, or none that counts.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The kernel took some of the request: the backend may have seen it.
    pub(super) sent: bool,
    /// Some of an answer came.
    pub(super) answered: bool,
    /// On a connection that had served before: it may have been closed just then.
    pub(super) reused: bool,
    /// The attempt was a trial of a backend that was ejected.
    pub(super) trial: bool,
}

/// Whose fault it was, and what.
#[derive(Debug)]
pub(super) enum FailureKind {
    /// The backend's.
    Backend(Cause, Cow<'static, str>),
    /// The client's: its body.
    Body(BodyError),
    /// The client's: its body did not come in time.
    BodyTimeout,
    /// The client's: the request's time was up while its body was coming.
    Overdue,
}

/// How a backend failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// No connection could be made.
    Connect,
    /// No connection came about in time.
    ConnectTimeout,
    /// It was silent for too long.
    Timeout,
    /// The request's time was up, and it was this backend that was waited for.
    Overdue,
    /// The connection broke.
    Broken,
    /// What it answered was not HTTP.
    Invalid,
    /// It answered with a status that is as good as no answer.
    Status,
    /// The request cannot be put into the backend's protocol: not the backend's fault.
    Unsendable,
}

impl Cause {
    /// What the backend's statistics learn of it.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Connect | Self::ConnectTimeout => Verdict::ConnectFailed,
            Self::Timeout | Self::Overdue => Verdict::TimedOut,
            Self::Broken | Self::Invalid => Verdict::Broken,
            Self::Status => Verdict::ServerError,
            Self::Unsendable => Verdict::Cancelled,
        }
    }

    /// Is it one after which another backend may be asked?
    fn is_among(self, on: &RetryOn) -> bool {
        match self {
            Self::Connect | Self::Broken => on.error,
            Self::ConnectTimeout | Self::Timeout => on.timeout,
            Self::Invalid => on.invalid_header,
            Self::Status => true,
            Self::Overdue | Self::Unsendable => false,
        }
    }
}

impl FailureKind {
    /// What the backend's statistics learn of it.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Backend(cause, _) => cause.verdict(),
            Self::Body(_) | Self::BodyTimeout | Self::Overdue => Verdict::Cancelled,
        }
    }
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same backend once more, on a fresh connection: the old one had just been closed.
    Again,
    /// Another backend.
    Elsewhere,
    /// The client is told.
    GiveUp,
}

impl Failure {
    /// Where to go from here, by the upstream's conditions. `replayable`: all of the request's
    /// body that was passed on is still there.
    ///
    /// A request whose bytes a backend may have seen is sent a second time only if its method is
    /// idempotent (RFC 9110 section 9.2.2) or the operator says that it does not matter
    /// (`non_idempotent`); one that nobody has seen may always move on. The client has seen
    /// nothing of an answer before its head is whole.
    pub(super) fn next(&self, method: &Method, replayable: bool, on: &RetryOn) -> Next {
        let FailureKind::Backend(cause, _) = &self.kind else { return Next::GiveUp };
        if !replayable || (self.sent && !may_repeat(method, on)) {
            return Next::GiveUp;
        }
        if self.reused && !self.answered && *cause == Cause::Broken {
            Next::Again
        } else if cause.is_among(on) {
            Next::Elsewhere
        } else {
            Next::GiveUp
        }
    }

    /// What the client is told.
    pub(super) fn refusal(self) -> Refusal {
        match self.kind {
            FailureKind::Body(BodyError::TooLarge) => Refusal::limit(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request's body is larger than this route allows (max_body)",
            ),
            FailureKind::Body(BodyError::Malformed) => {
                Refusal::malformed("the request's body is cut or not framed as it should be")
            }
            FailureKind::BodyTimeout => Refusal::limit(
                StatusCode::REQUEST_TIMEOUT,
                "the request's body did not arrive in time (limits.body_timeout)",
            ),
            FailureKind::Overdue => Refusal::limit(StatusCode::GATEWAY_TIMEOUT, OVERDUE),
            FailureKind::Backend(Cause::Overdue, _) => Refusal::plain(StatusCode::GATEWAY_TIMEOUT, OVERDUE),
            FailureKind::Backend(Cause::Timeout, _) => {
                Refusal::plain(StatusCode::GATEWAY_TIMEOUT, "the backend did not answer in time")
            }
            FailureKind::Backend(Cause::ConnectTimeout, _) => {
                Refusal::plain(StatusCode::GATEWAY_TIMEOUT, "no backend could be reached in time")
            }
            FailureKind::Backend(Cause::Connect, _) => {
                Refusal::plain(StatusCode::BAD_GATEWAY, "no backend could be reached")
            }
            FailureKind::Backend(..) => {
                Refusal::plain(StatusCode::BAD_GATEWAY, "the backend gave no valid answer")
            }
        }
    }
}

/// The request has had all the time that it may take.
pub(super) const OVERDUE: &str = "the request took longer than this route allows (timeout)";

/// May a request with this method be sent to a second backend after a first one has seen it?
pub(super) fn may_repeat(method: &Method, on: &RetryOn) -> bool {
    method.is_idempotent() || on.non_idempotent
}

impl Story {
    /// After a failure: goes on to the next attempt, or says what the client is told.
    pub(super) fn consider_retry(
        &mut self,
        failure: Failure,
        who: Who,
        body: &mut RequestBody,
    ) -> Result<(), Refusal> {
        self.received = body.received();
        let on = &self.upstream().settings.retry.on;
        match failure.next(&self.facts.method, body.is_replayable(), on) {
            Next::GiveUp => return Err(failure.refusal()),
            Next::Elsewhere if !self.may_retry(failure.sent && !failure.trial) => {
                return Err(failure.refusal());
            }
            Next::Elsewhere => {}
            Next::Again => {
                self.tried.pop();
                self.again = Some(who);
            }
        }
        body.rewind();
        self.failure = Some(failure);
        Ok(())
    }

    /// Takes an answer, unless its status is as good as none and another backend can be asked.
    pub(super) fn accept(&mut self, answered: Answered, body: &mut RequestBody) -> Option<Answered> {
        let on = &self.upstream().settings.retry.on;
        let repeats = on.has_status(answered.head.status.as_u16())
            && may_repeat(&self.facts.method, on)
            && body.is_replayable()
            && self.tries_left()
            && self.anybody_else()
            && self.may_retry(true);
        if !repeats {
            return Some(answered);
        }
        let Answered { mut attempt, mut carrier, head, .. } = answered;
        let outcome =
            attempt.end(if head.status.as_u16() >= 500 { Verdict::ServerError } else { Verdict::Success });
        self.end_attempt(outcome.total);
        if body.is_ended() && carrier.take_whole_body().is_some() {
            keep(&self.worker, &attempt, carrier, outcome.now);
        }
        let kind = FailureKind::Backend(Cause::Status, head.status.as_str().to_owned().into());
        self.failure = Some(Failure { kind, sent: true, answered: true, reused: false, trial: false });
        body.rewind();
        None
    }

    /// Is there time for another attempt, and, if a backend has seen the request, something left
    /// of the budget?
    fn may_retry(&self, seen: bool) -> bool {
        let upstream = self.upstream();
        let now = clock::now();
        let late = |limit: Duration| u128::from(now.saturating_sub(self.began)) > limit.as_micros();
        if upstream.settings.retry.timeout.is_some_and(late) || self.deadline.has_passed() {
            return false;
        }
        if seen && !self.in_force.budgets[self.upstream].withdraw(now) {
            upstream.stats.count_denied_retry();
            return false;
        }
        upstream.stats.count_retry();
        true
    }

    /// Is there a backend that has not been tried and could be?
    fn anybody_else(&self) -> bool {
        let mut backends = self.upstream().backends.iter().enumerate();
        backends.any(|(place, backend)| {
            backend.is_in_service() && backend.condition.is_open() && !self.has_tried(place)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: Cause, sent: bool, answered: bool, reused: bool) -> Failure {
        Failure { kind: FailureKind::Backend(cause, "".into()), sent, answered, reused, trial: false }
    }

    /// What follows under the default conditions.
    fn next(failure: &Failure, method: &Method, replayable: bool) -> Next {
        failure.next(method, replayable, &RetryOn::default())
    }

    #[test]
    fn a_refused_connection_moves_any_request_on() {
        let refused = failure(Cause::Connect, false, false, false);
        assert_eq!(next(&refused, &Method::POST, true), Next::Elsewhere);
    }

    #[test]
    fn a_post_that_a_backend_may_have_seen_is_never_sent_again() {
        for cause in [Cause::Broken, Cause::Timeout, Cause::Invalid] {
            for reused in [false, true] {
                assert_eq!(next(&failure(cause, true, false, reused), &Method::POST, true), Next::GiveUp);
            }
        }
    }

    #[test]
    fn unless_the_operator_says_that_it_does_not_matter() {
        let on = RetryOn { non_idempotent: true, ..RetryOn::default() };
        assert_eq!(
            failure(Cause::Timeout, true, false, false).next(&Method::POST, true, &on),
            Next::Elsewhere
        );
    }

    #[test]
    fn a_kept_connection_that_was_just_closed_costs_a_get_nothing() {
        assert_eq!(next(&failure(Cause::Broken, true, false, true), &Method::GET, true), Next::Again);
        assert_eq!(next(&failure(Cause::Broken, true, false, false), &Method::GET, true), Next::Elsewhere);
    }

    #[test]
    fn half_a_head_moves_a_get_on_but_not_to_the_same_backend() {
        assert_eq!(next(&failure(Cause::Broken, true, true, true), &Method::GET, true), Next::Elsewhere);
    }

    #[test]
    fn nothing_is_repeated_once_the_body_is_used_up() {
        assert_eq!(next(&failure(Cause::Broken, true, false, true), &Method::PUT, false), Next::GiveUp);
    }

    #[test]
    fn a_failure_that_is_not_among_the_conditions_is_the_clients() {
        let (never, refused) = (RetryOn::never(), failure(Cause::Connect, false, false, false));
        assert_eq!(refused.next(&Method::GET, true, &never), Next::GiveUp);
        let stale = failure(Cause::Broken, true, false, true);
        assert_eq!(stale.next(&Method::GET, true, &never), Next::Again, "the same backend, once more");
        let errors = RetryOn { error: true, ..RetryOn::never() };
        assert_eq!(refused.next(&Method::GET, true, &errors), Next::Elsewhere);
        let slow = failure(Cause::Timeout, true, false, false);
        assert_eq!(slow.next(&Method::GET, true, &errors), Next::GiveUp);
    }
}
