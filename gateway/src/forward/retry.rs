//! May a request that failed be sent to another backend?

use std::borrow::Cow;

use http::{Method, StatusCode};

use super::answer::Refusal;
use super::request_body::BodyError;
use crate::stats::Verdict;

/// Why an attempt got no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The kernel took some of the request: the backend may have seen it.
    pub(super) sent: bool,
    /// Some of an answer came.
    pub(super) answered: bool,
    /// On a connection that had served before: it may have been closed just then.
    pub(super) reused: bool,
}

/// Whose fault it was, and what.
#[derive(Debug)]
pub(super) enum FailureKind {
    /// The backend's.
    Backend(Verdict, Cow<'static, str>),
    /// The client's: its body.
    Body(BodyError),
    /// The client's: its body did not come in time.
    BodyTimeout,
}

impl FailureKind {
    /// What the backend's statistics learn of it.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Backend(verdict, _) => *verdict,
            Self::Body(_) | Self::BodyTimeout => Verdict::Cancelled,
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
    /// Where to go from here. `whole`: the request's body has not been touched.
    ///
    /// A request whose bytes a backend may have seen is sent a second time only if its method is
    /// idempotent (RFC 9110 section 9.2.2); one that nobody has seen may always move on. The
    /// client has seen nothing of an answer before its head is whole.
    pub(super) fn next(&self, method: &Method, whole: bool) -> Next {
        let FailureKind::Backend(verdict, _) = &self.kind else { return Next::GiveUp };
        if !whole || (self.sent && !method.is_idempotent()) {
            return Next::GiveUp;
        }
        if self.reused && !self.answered && *verdict == Verdict::Broken {
            Next::Again
        } else {
            Next::Elsewhere
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
            FailureKind::Backend(Verdict::TimedOut, _) => {
                Refusal::plain(StatusCode::GATEWAY_TIMEOUT, "the backend did not answer in time")
            }
            FailureKind::Backend(Verdict::ConnectFailed, _) => {
                Refusal::plain(StatusCode::BAD_GATEWAY, "no backend could be reached")
            }
            FailureKind::Backend(..) => {
                Refusal::plain(StatusCode::BAD_GATEWAY, "the backend gave no valid answer")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(verdict: Verdict, sent: bool, answered: bool, reused: bool) -> Failure {
        Failure { kind: FailureKind::Backend(verdict, "".into()), sent, answered, reused }
    }

    #[test]
    fn a_refused_connection_moves_any_request_on() {
        let refused = failure(Verdict::ConnectFailed, false, false, false);
        assert_eq!(refused.next(&Method::POST, true), Next::Elsewhere);
    }

    #[test]
    fn a_post_that_a_backend_may_have_seen_is_never_sent_again() {
        for reused in [false, true] {
            assert_eq!(failure(Verdict::Broken, true, false, reused).next(&Method::POST, true), Next::GiveUp);
            assert_eq!(
                failure(Verdict::TimedOut, true, false, reused).next(&Method::POST, true),
                Next::GiveUp
            );
        }
    }

    #[test]
    fn a_kept_connection_that_was_just_closed_costs_a_get_nothing() {
        assert_eq!(failure(Verdict::Broken, true, false, true).next(&Method::GET, true), Next::Again);
        assert_eq!(failure(Verdict::Broken, true, false, false).next(&Method::GET, true), Next::Elsewhere);
    }

    #[test]
    fn half_a_head_moves_a_get_on_but_not_to_the_same_backend() {
        assert_eq!(failure(Verdict::Broken, true, true, true).next(&Method::GET, true), Next::Elsewhere);
    }

    #[test]
    fn nothing_is_repeated_once_the_body_is_used_up() {
        assert_eq!(failure(Verdict::Broken, true, false, true).next(&Method::PUT, false), Next::GiveUp);
    }
}
