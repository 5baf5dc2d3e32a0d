//! What came is no request.

use std::borrow::Cow;

use http::StatusCode;

use crate::http1::Invalid;

/// Why the bytes of a client are not taken for a request. Its connection ends with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Status of the answer.
    pub status: StatusCode,
    /// What is wrong, in a line, for the client.
    pub reason: Cow<'static, str>,
}

impl Unreadable {
    pub(super) fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into() }
    }

    /// A request of which this part breaks the grammar.
    pub(super) fn malformed(part: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("the request is not valid HTTP: {part}"))
    }
}

impl From<Invalid> for Unreadable {
    fn from(Invalid(part): Invalid) -> Self {
        Self::malformed(part)
    }
}
