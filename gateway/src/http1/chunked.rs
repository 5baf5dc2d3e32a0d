//! The chunked coding, RFC 9112 section 7.1, strictly: lines end in CRLF, sizes are hex digits.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::Invalid;

/// Longest chunk size line, extensions included.
const MAX_LINE: usize = 4 * 1024;
/// By how many bytes all extensions together may exceed the data (CVE-2023-39326).
const MAX_EXTENSIONS: usize = 16 * 1024;
/// Most bytes of a trailer section.
const MAX_TRAILERS: usize = 16 * 1024;
/// Most trailer fields.
const MAX_FIELDS: usize = 64;

/// A decoder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunked {
    at: At,
    /// By how many bytes the extensions exceed the data so far.
    excess: usize,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// Before a chunk's size line.
    #[default]
    Size,
    /// Within a chunk, so many bytes before its end.
    Data(u64),
    /// Behind a chunk's data, before its line end.
    DataEnd,
    /// In the trailer section.
    Trailers,
    /// Behind the last byte.
    Done,
}

/// What the decoder found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Some data.
    Data(Bytes),
    /// The end, with the trailer fields if there were any.
    End(Option<HeaderMap>),
    /// Nothing yet: more bytes must be read.
    More,
}

impl Chunked {
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Found, Invalid> {
        loop {
            match self.at {
                At::Size => match size(buffer, &mut self.excess)? {
                    None => return Ok(Found::More),
                    Some(0) => self.at = At::Trailers,
                    Some(size) => self.at = At::Data(size),
                },
                At::Data(_) if buffer.is_empty() => return Ok(Found::More),
                At::Data(left) => {
                    let taken = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
                    let left = left - taken as u64;
                    self.at = if left == 0 { At::DataEnd } else { At::Data(left) };
                    return Ok(Found::Data(buffer.split_to(taken).freeze()));
                }
                At::DataEnd => {
                    let end = &buffer[..buffer.len().min(2)];
                    if !b"\r\n".starts_with(end) {
                        return Err(Invalid("a chunk longer than its size"));
                    }
                    if end.len() < 2 {
                        return Ok(Found::More);
                    }
                    buffer.advance(2);
                    self.at = At::Size;
                }
                At::Trailers => {
                    let Some(trailers) = trailers(buffer)? else {
                        return Ok(Found::More);
                    };
                    self.at = At::Done;
                    return Ok(Found::End((!trailers.is_empty()).then_some(trailers)));
                }
                At::Done => return Ok(Found::End(None)),
            }
        }
    }
}

/// Takes a size line.
fn size(buffer: &mut BytesMut, excess: &mut usize) -> Result<Option<u64>, Invalid> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() > MAX_LINE {
            Err(Invalid("a chunk size line without end"))
        } else {
            Ok(None)
        };
    };
    let line =
        buffer[..end].strip_suffix(b"\r").ok_or(Invalid("a chunk size line that ends in a bare LF"))?;
    if line.len() > MAX_LINE || line.contains(&b'\r') {
        return Err(Invalid("a chunk size line"));
    }
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !(1..=16).contains(&digits) || !matches!(line.get(digits), None | Some(b';')) {
        return Err(Invalid("a chunk size"));
    }
    let mut size = 0u64;
    for digit in &line[..digits] {
        size = size << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0));
    }
    let extension = line.len() - digits;
    if extension > 0 {
        *excess = (*excess + extension).saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
        if *excess > MAX_EXTENSIONS {
            return Err(Invalid("more chunk extensions than data"));
        }
    }
    buffer.advance(end + 1);
    Ok(Some(size))
}

/// Takes the trailer section. Fields that frame or route are dropped (RFC 9110 section 6.5.1).
fn trailers(buffer: &mut BytesMut) -> Result<Option<HeaderMap>, Invalid> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let (length, fields) = match httparse::parse_headers(buffer, &mut slots) {
        Ok(httparse::Status::Complete(complete)) => complete,
        Ok(httparse::Status::Partial) if buffer.len() > MAX_TRAILERS => {
            return Err(Invalid("trailers without end"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Invalid("a trailer field")),
    };
    let mut map = HeaderMap::new();
    for field in fields {
        let name =
            HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Invalid("a trailer field name"))?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| Invalid("a trailer field value"))?;
        if may_trail(&name) {
            map.append(name, value);
        }
    }
    buffer.advance(length);
    Ok(Some(map))
}

/// May this field stand in a trailer section? Those that frame, route, authenticate, describe the
/// content or control the answer may not: somebody behind us may merge them into the head.
#[must_use]
pub(crate) fn may_trail(name: &HeaderName) -> bool {
    let name = name.as_str();
    !name.starts_with("if-") && !name.starts_with("x-forwarded-") && !NO_TRAILERS.contains(&name)
}

const NO_TRAILERS: [&str; 30] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
    "x-http-method-override",
    "x-real-ip",
];

/// Writes the end of a chunked body with its trailer section.
pub(crate) fn write_trailers(trailers: Option<&HeaderMap>, out: &mut BytesMut) {
    out.put_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten().filter(|(name, _)| may_trail(name)) {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.put_slice(piece);
        }
    }
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Invalid = Invalid("cut");

    fn decode(text: &str) -> Result<(String, Option<HeaderMap>, usize), Invalid> {
        let (mut state, mut buffer, mut data) = (Chunked::default(), BytesMut::from(text), String::new());
        loop {
            match state.decode(&mut buffer)? {
                Found::Data(bytes) => data.push_str(std::str::from_utf8(&bytes).unwrap()),
                Found::End(trailers) => return Ok((data, trailers, buffer.len())),
                Found::More => return Err(CUT),
            }
        }
    }

    #[test]
    fn chunks_are_joined_and_what_follows_stays() {
        let (data, trailers, left) = decode("4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\n\r\nnext").unwrap();
        assert_eq!((data.as_str(), trailers.is_none(), left), ("Wikipedia", true, 4));
    }

    #[test]
    fn trailers_arrive_without_those_that_would_change_the_message() {
        let (_, trailers, _) = decode(
            "0\r\nX-Sum: 7\r\nContent-Length: 5\r\nHost: b\r\nIf-Match: c\r\nX-Forwarded-For: d\r\n\r\n",
        )
        .unwrap();
        let trailers = trailers.unwrap();
        assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &HeaderValue::from_static("7")));
    }

    #[test]
    fn extensions_may_exceed_the_data_by_a_little_only() {
        let chunks = |data: usize, extension: usize| {
            let chunk = format!("{data:x};{}\r\n{}\r\n", "e".repeat(extension), "d".repeat(data));
            decode(&format!("{}0\r\n\r\n", chunk.repeat(1_000)))
        };
        assert_eq!(chunks(1, 10).unwrap().0.len(), 1_000);
        assert_eq!(chunks(300, 200).unwrap().0.len(), 300_000);
        assert!(chunks(1, 200).is_err_and(|error| error != CUT));
    }

    #[test]
    fn every_split_of_the_bytes_gives_the_same() {
        let text = b"a\r\n0123456789\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n";
        for cut in 0..text.len() {
            let (mut state, mut buffer, mut data) =
                (Chunked::default(), BytesMut::from(&text[..cut]), Vec::new());
            let mut rest = Some(&text[cut..]);
            loop {
                match state.decode(&mut buffer).unwrap() {
                    Found::Data(bytes) => data.extend_from_slice(&bytes),
                    Found::End(trailers) => break assert!(trailers.is_some()),
                    Found::More => buffer.extend_from_slice(rest.take().unwrap()),
                }
            }
            assert_eq!(data, b"0123456789abc", "cut at {cut}");
        }
    }

    #[test]
    fn what_others_might_read_differently_is_refused() {
        for text in [
            "0x5\r\nabcde\r\n",
            "+5\r\n",
            "-5\r\n",
            "\r\n",
            "5\nabcde\r\n",
            "5\r\nabcdefg",
            "11111111111111111\r\n",
            "5 5\r\nabcde\r\n0\r\n\r\n",
        ] {
            assert!(decode(text).is_err_and(|error| error != CUT), "{text:?}");
        }
    }

    fn all(pieces: &[&[u8]]) -> (Vec<u8>, Option<Result<bool, Invalid>>) {
        let (mut state, mut buffer, mut data) = (Chunked::default(), BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match state.decode(&mut buffer) {
                    Ok(Found::Data(bytes)) => data.extend_from_slice(&bytes),
                    Ok(Found::End(trailers)) => return (data, Some(Ok(trailers.is_some()))),
                    Ok(Found::More) => break,
                    Err(error) => return (data, Some(Err(error))),
                }
            }
        }
        (data, None)
    }

    #[test]
    fn fuzz_chunks() {
        let words = ["\r\n", "0\r\n\r\n", "5\r\nabcde\r\n", ";a=b", "ffffffffffffffff", "\n", "A: b\r\n"];
        crate::fuzz::fuzz("chunks", &words, |input| {
            let (whole, cut) = (all(&[input]), input.len() / 2);
            let pieces = all(&[&input[..cut], &input[cut..]]);
            // However it comes, it is the same body with the same end; errors may show sooner.
            if matches!(whole.1, Some(Ok(_))) {
                assert_eq!(whole, pieces);
            }
            assert!(whole.0.len() <= input.len());
        });
    }
}
