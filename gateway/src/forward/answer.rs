//! What the gateway itself answers: the one place where a failure becomes a response.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{Body, whole};

/// Why a request gets no answer of a backend.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// For the client: what is wrong, in a line.
    pub(super) reason: Cow<'static, str>,
    /// Must the connection end? When it is not certain where the next request would begin.
    pub(super) close: bool,
    /// Has the client met a limit? Then it is logged, with the setting that the reason names.
    pub(super) is_limit: bool,
    /// When it is worth coming again, seconds (RFC 9110 section 10.2.3).
    retry_after: Option<u64>,
}

impl Refusal {
    /// A request that cannot be understood, or could be understood in two ways: 400, and the end
    /// of the connection.
    pub(super) fn malformed(reason: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: reason.into(),
            close: true,
            is_limit: false,
            retry_after: None,
        }
    }

    /// An understood request that is answered so.
    pub(super) fn plain(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), close: false, is_limit: false, retry_after: None }
    }

    /// The same, and the connection ends: the rest of the request will not be read.
    pub(super) fn closing(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), close: true, is_limit: false, retry_after: None }
    }

    /// The client has met a limit; the reason names the setting. The connection ends.
    pub(super) fn limit(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_limit: true, ..Self::closing(status, reason) }
    }

    /// The same for a limit that the connection can outlive.
    pub(super) fn mild_limit(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_limit: true, ..Self::plain(status, reason) }
    }

    /// A request that is one too many for the limit `[section.name]`, for so long.
    pub(super) fn too_many(status: StatusCode, section: &str, name: &str, wait: Option<Duration>) -> Self {
        let reason = format!("too many requests ({section}.{name})");
        let retry_after = wait.map(|wait| wait.as_millis().div_ceil(1_000) as u64);
        Self { retry_after, ..Self::mild_limit(status, reason) }
    }

    /// The response. Its text is the status and the reason, a line each.
    pub(super) fn into_response(self, http1: bool) -> Response<Body> {
        let text = format!(
            "{} {}\n{}\n",
            self.status.as_str(),
            self.status.canonical_reason().unwrap_or(""),
            self.reason
        );
        let mut response = Response::new(whole(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        self.mark(http1, headers);
        response
    }

    /// What every answer to such a request must say.
    pub(super) fn mark(&self, http1: bool, headers: &mut HeaderMap) {
        if self.close && http1 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}
