//! Where an answer's body ends: RFC 9112 section 6.3, strictly.

use http::{HeaderMap, Method, StatusCode, header};

use super::Error;

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

impl Framing {
    /// The framing of an answer to `method`. What two readers could understand differently
    /// (two lengths, a length beside a coding, a coding that is not exactly `chunked`, any coding
    /// in HTTP/1.0) is refused, not interpreted.
    pub(super) fn of(
        method: &Method,
        status: StatusCode,
        version_11: bool,
        fields: &HeaderMap,
    ) -> Result<Self, Error> {
        let coding = one(fields, &header::TRANSFER_ENCODING, "two Transfer-Encoding fields")?;
        let length = one(fields, &header::CONTENT_LENGTH, "two Content-Length fields")?;
        let length = length
            .map(|text| decimal(text).ok_or(Error::Invalid("a Content-Length that is not a number")))
            .transpose()?;
        if let Some(coding) = coding {
            if length.is_some() {
                return Err(Error::Invalid("both Transfer-Encoding and Content-Length"));
            }
            if !version_11 {
                return Err(Error::Invalid("Transfer-Encoding in HTTP/1.0"));
            }
            if !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(Error::Invalid("a Transfer-Encoding other than chunked"));
            }
        }
        if *method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Ok(Self::None);
        }
        Ok(match (coding, length) {
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length),
            (None, None) => Self::UntilClose,
        })
    }
}

fn one<'a>(
    fields: &'a HeaderMap,
    name: &header::HeaderName,
    twice: &'static str,
) -> Result<Option<&'a [u8]>, Error> {
    let mut values = fields.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Error::Invalid(twice));
    }
    Ok(first.map(http::HeaderValue::as_bytes))
}

fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(
        method: &str,
        status: u16,
        version_11: bool,
        fields: &[(&'static str, &'static str)],
    ) -> Result<Framing, String> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Framing::of(&method.parse().unwrap(), status, version_11, &map).map_err(|e| e.to_string())
    }

    #[test]
    fn the_plain_forms() {
        assert_eq!(framing("GET", 200, true, &[("content-length", "12")]), Ok(Framing::Length(12)));
        assert_eq!(framing("GET", 200, true, &[("transfer-encoding", "Chunked")]), Ok(Framing::Chunked));
        assert_eq!(framing("GET", 200, false, &[]), Ok(Framing::UntilClose));
    }

    #[test]
    fn answers_that_never_have_a_body() {
        assert_eq!(framing("HEAD", 200, true, &[("content-length", "12")]), Ok(Framing::None));
        assert_eq!(framing("GET", 204, true, &[]), Ok(Framing::None));
        assert_eq!(framing("GET", 304, true, &[("content-length", "12")]), Ok(Framing::None));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let refused: [&[(&str, &str)]; 8] = [
            &[("content-length", "1"), ("content-length", "1")],
            &[("content-length", "+1")],
            &[("content-length", "1, 1")],
            &[("content-length", "18446744073709551621")],
            &[("content-length", "1"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "identity")],
        ];
        for fields in refused {
            assert!(framing("GET", 200, true, fields).is_err(), "{fields:?}");
        }
        assert!(framing("GET", 200, false, &[("transfer-encoding", "chunked")]).is_err());
    }
}
