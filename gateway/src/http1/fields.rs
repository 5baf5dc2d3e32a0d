//! Fields of a head.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

use super::Invalid;

/// Where a field stands in a buffer: `httparse` borrows the buffer, the values shall share it.
#[derive(Debug)]
pub(crate) struct Place {
    name: (usize, usize),
    value: (usize, usize),
}

impl Place {
    /// Of a field that was parsed out of the buffer that begins at `start`.
    pub(crate) fn of(field: &httparse::Header<'_>, start: *const u8) -> Self {
        let name = field.name.as_ptr() as usize - start as usize;
        let value = field.value.as_ptr() as usize - start as usize;
        Self { name: (name, name + field.name.len()), value: (value, value + field.value.len()) }
    }

    /// The field, its value a part of `bytes`, which hold the same buffer.
    pub(crate) fn take(&self, bytes: &Bytes) -> Result<(HeaderName, HeaderValue), Invalid> {
        let Self { name, value } = *self;
        let name = HeaderName::from_bytes(&bytes[name.0..name.1]).map_err(|_| Invalid("a field name"))?;
        let value = if value.0 == value.1 {
            // An empty slice may point anywhere; it need not lie within the buffer.
            HeaderValue::from_static("")
        } else {
            HeaderValue::from_maybe_shared(bytes.slice(value.0..value.1))
                .map_err(|_| Invalid("a field value"))?
        };
        Ok((name, value))
    }
}

/// A `Content-Length`: digits and nothing else.
pub(crate) fn decimal(text: &[u8]) -> Result<u64, Invalid> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    number.ok_or(Invalid("a Content-Length that is not a number"))
}

/// Which part of a head the parser refused.
pub(crate) fn offence(error: httparse::Error) -> Invalid {
    Invalid(match error {
        httparse::Error::HeaderName => "a field name",
        httparse::Error::HeaderValue => "a field value",
        httparse::Error::NewLine => "a line end",
        httparse::Error::Status => "the status line",
        httparse::Error::Token => "a token",
        httparse::Error::TooManyHeaders => "too many fields",
        httparse::Error::Version => "the version",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        assert_eq!(decimal(b"0012"), Ok(12));
        for text in ["+1", "1, 1", "18446744073709551621", "", "0x1", "1 "] {
            assert!(decimal(text.as_bytes()).is_err(), "{text}");
        }
    }
}
