//! What the gateway itself answers: the one place where a failure becomes a response.

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, header};

use super::{Body, whole};

/// Why a request gets no answer of a backend.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// For the client: what is wrong, in a line.
    pub(super) reason: Cow<'static, str>,
    /// Must the connection end? When it is not certain where the next request would begin.
    pub(super) close: bool,
}

impl Refusal {
    /// A request that cannot be understood, or could be understood in two ways: 400, and the end
    /// of the connection.
    pub(super) fn malformed(reason: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into(), close: true }
    }

    /// An understood request that is answered so.
    pub(super) fn plain(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), close: false }
    }

    /// The same, and the connection ends: the rest of the request will not be read.
    pub(super) fn closing(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), close: true }
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
        if self.close && http1 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
