//! Where an answer's body ends: RFC 9112 section 6.3, strictly.

use http::{Method, StatusCode};

use crate::http1::Invalid;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body, whatever the fields say.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
}

/// What the fields of an answer declare.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    /// `Content-Length`.
    pub(super) length: Option<u64>,
    /// `Transfer-Encoding`, and whether it is exactly `chunked`.
    pub(super) chunked: Option<bool>,
}

impl Framing {
    /// The framing of an answer to `method`. What two readers could understand differently (a
    /// length beside a coding, a coding that is not exactly `chunked`, any coding in HTTP/1.0) is
    /// refused, not interpreted.
    pub(super) fn of(
        method: &Method,
        status: StatusCode,
        version_11: bool,
        declared: &Declared,
    ) -> Result<Self, Invalid> {
        match (declared.chunked, declared.length) {
            (Some(_), Some(_)) => return Err(Invalid("both Transfer-Encoding and Content-Length")),
            (Some(_), None) if !version_11 => return Err(Invalid("Transfer-Encoding in HTTP/1.0")),
            (Some(false), None) => return Err(Invalid("a Transfer-Encoding other than chunked")),
            _ => {}
        }
        if *method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Ok(Self::None);
        }
        Ok(match (declared.chunked, declared.length) {
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length),
            (None, None) => Self::UntilClose,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(method: &str, status: u16, version_11: bool, declared: Declared) -> Option<Framing> {
        let status = StatusCode::from_u16(status).unwrap();
        Framing::of(&method.parse().unwrap(), status, version_11, &declared).ok()
    }

    const NOTHING: Declared = Declared { length: None, chunked: None };
    const TWELVE: Declared = Declared { length: Some(12), chunked: None };
    const CHUNKED: Declared = Declared { length: None, chunked: Some(true) };

    #[test]
    fn the_plain_forms() {
        assert_eq!(framing("GET", 200, true, TWELVE), Some(Framing::Length(12)));
        assert_eq!(framing("GET", 200, true, CHUNKED), Some(Framing::Chunked));
        assert_eq!(framing("GET", 200, false, NOTHING), Some(Framing::UntilClose));
    }

    #[test]
    fn answers_that_never_have_a_body() {
        assert_eq!(framing("HEAD", 200, true, TWELVE), Some(Framing::None));
        assert_eq!(framing("GET", 204, true, NOTHING), Some(Framing::None));
        assert_eq!(framing("GET", 304, true, TWELVE), Some(Framing::None));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert_eq!(framing("GET", 200, true, Declared { length: Some(1), chunked: Some(true) }), None);
        assert_eq!(framing("GET", 200, true, Declared { length: None, chunked: Some(false) }), None);
        assert_eq!(framing("GET", 200, false, CHUNKED), None);
    }
}
