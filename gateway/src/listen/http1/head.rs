//! The head of a request.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri, Version};
use smallvec::SmallVec;

use crate::http1::{Body, Chunked, Invalid, Place, decimal, offence};
use crate::listen::Unreadable;

/// Most fields of a request.
const MAX_FIELDS: usize = 128;

/// The head of a request, and what follows from it for the connection.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// The `Content-Length`, if there is one.
    pub(super) declared: Option<u64>,
    pub(super) keep_alive: bool,
    /// The client waits with its body for a word of ours.
    pub(super) expects_continue: bool,
    pub(super) takes_trailers: bool,
    pub(super) upgrades: bool,
}

/// Takes one head of at most `most` bytes from the front of `buffer`; none while it is incomplete.
pub(super) fn take(buffer: &mut BytesMut, most: usize) -> Result<Option<Head>, Unreadable> {
    // Left uninitialised: clearing 4 KiB for each request would cost as much as parsing it.
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(buffer, &mut slots);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= most => length,
        Ok(httparse::Status::Partial) if buffer.len() <= most => return Ok(None),
        Ok(_) => return Err(too_large(buffer, most)),
        Err(error) => return Err(refused(error, buffer)),
    };
    let start = buffer.as_ptr();
    let version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let method = Method::from_bytes(request.method.unwrap_or_default().as_bytes())
        .map_err(|_| Unreadable::malformed("the method"))?;
    let target = request.path.unwrap_or_default();
    let target = (target.as_ptr() as usize - start as usize, target.len());
    let places: SmallVec<[Place; 24]> = request.headers.iter().map(|field| Place::of(field, start)).collect();
    let bytes = buffer.split_to(length).freeze();
    let target = self::target(bytes.slice(target.0..target.0 + target.1))?;
    let (headers, noted) = fields(&bytes, &places)?;
    noted.finish(method, target, version, headers).map(Some)
}

fn refused(error: httparse::Error, head: &[u8]) -> Unreadable {
    let Invalid(part) = offence(error);
    let version = || head.split(|byte| matches!(byte, b' ' | b'\n')).nth(2).unwrap_or_default();
    match error {
        httparse::Error::Version if version().starts_with(b"HTTP/") => Unreadable::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "the request is of a version other than HTTP/1.0, 1.1 and 2",
        ),
        httparse::Error::TooManyHeaders => Unreadable::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            format!("the request has more than {MAX_FIELDS} fields"),
        ),
        _ => Unreadable::malformed(part),
    }
}

fn too_large(buffer: &[u8], most: usize) -> Unreadable {
    let (status, part) = match memchr::memchr(b'\n', buffer) {
        Some(end) if end <= most => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head"),
        _ => (StatusCode::URI_TOO_LONG, "target"),
    };
    Unreadable::new(status, format!("the request's {part} is larger than {most} bytes (limits.max_head)"))
}

fn target(text: Bytes) -> Result<Uri, Unreadable> {
    // A fragment is the client's own affair (RFC 9110 section 4.2.5); `http` would drop it silently.
    let legal = memchr::memchr(b'#', &text).is_none();
    let parsed = match text.first() {
        _ if !legal => None,
        Some(b'/') => PathAndQuery::from_maybe_shared(text).ok().map(Uri::from),
        _ => Uri::from_maybe_shared(text).ok(),
    };
    parsed.ok_or_else(|| Unreadable::malformed("the target"))
}

/// What the fields say of the connection and of the framing, noted while they are collected.
#[derive(Debug, Default)]
struct Noted {
    lengths: u32,
    declared: Option<u64>,
    codings: u32,
    chunked: bool,
    closes: bool,
    stays: bool,
    expects_continue: bool,
    takes_trailers: bool,
    upgrades: bool,
    names_upgrade: bool,
}

fn fields(bytes: &Bytes, places: &[Place]) -> Result<(HeaderMap, Noted), Unreadable> {
    let mut headers = HeaderMap::with_capacity(places.len());
    let mut noted = Noted::default();
    for place in places {
        let (name, value) = place.take(bytes)?;
        noted.note(&name, &value)?;
        headers.append(name, value);
    }
    Ok((headers, noted))
}

impl Noted {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Invalid> {
        match name.as_str() {
            "content-length" => {
                self.lengths += 1;
                self.declared = Some(decimal(value.as_bytes())?);
            }
            "transfer-encoding" => {
                self.codings += 1;
                self.chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
            }
            "connection" => tokens(value).for_each(|token| self.note_option(token)),
            "expect" => self.expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            "te" => {
                self.takes_trailers |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"trailers"));
            }
            // Not HTTP/2 (RFC 9113 section 3.1): its requests would pass unseen.
            "upgrade" => self.names_upgrade = !tokens(value).any(|token| token.eq_ignore_ascii_case(b"h2c")),
            _ => {}
        }
        Ok(())
    }

    /// An option of `Connection`.
    fn note_option(&mut self, option: &[u8]) {
        if option.eq_ignore_ascii_case(b"close") {
            self.closes = true;
        } else if option.eq_ignore_ascii_case(b"keep-alive") {
            self.stays = true;
        } else if option.eq_ignore_ascii_case(b"upgrade") {
            self.upgrades = true;
        }
    }

    /// The body's framing (RFC 9112 section 6): what two readers could frame differently is refused.
    fn framing(&self, version: Version) -> Result<Body, Unreadable> {
        match (self.lengths, self.codings) {
            (0, 0) => Ok(Body::Ended),
            (1, 0) => Ok(Body::of_length(self.declared.unwrap_or(0))),
            (_, 0) => Err(Unreadable::malformed("more than one Content-Length")),
            _ if version == Version::HTTP_10 => {
                Err(Unreadable::malformed("Transfer-Encoding in an HTTP/1.0 request"))
            }
            (0, 1) if self.chunked => Ok(Body::Chunked(Chunked::default())),
            (0, _) => Err(Unreadable::new(
                StatusCode::NOT_IMPLEMENTED,
                "a Transfer-Encoding other than chunked is not understood",
            )),
            _ => Err(Unreadable::malformed("both Transfer-Encoding and Content-Length")),
        }
    }

    fn finish(
        self,
        method: Method,
        target: Uri,
        version: Version,
        headers: HeaderMap,
    ) -> Result<Head, Unreadable> {
        let body = self.framing(version)?;
        let new = version == Version::HTTP_11;
        Ok(Head {
            keep_alive: !self.closes && (new || self.stays),
            expects_continue: self.expects_continue && new && !body.is_ended(),
            takes_trailers: self.takes_trailers && new,
            // No upgrade in HTTP/1.0 (RFC 9110 section 7.8), and none behind a body: what follows
            // it could be read as a request or as the new protocol.
            upgrades: self.upgrades && self.names_upgrade && new && body.is_ended(),
            declared: self.declared,
            method,
            target,
            version,
            headers,
            body,
        })
    }
}

fn tokens(list: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, u16> {
        let taken = take(&mut BytesMut::from(text), 16 * 1024).map_err(|bad| bad.status.as_u16())?;
        taken.ok_or(0)
    }

    fn with(version: &str, fields: &str) -> Result<Head, u16> {
        head(&format!("POST /x?y HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n"))
    }

    #[test]
    fn a_head_is_taken_and_what_follows_stays() {
        let mut buffer = BytesMut::from("GET /a?b HTTP/1.1\r\nHost: x\r\nX-Empty:\r\n\r\nGET /next");
        let head = take(&mut buffer, 1024).unwrap().unwrap();
        assert_eq!((head.method, head.target.to_string().as_str()), (Method::GET, "/a?b"));
        assert_eq!(
            (&head.headers["host"], &head.headers["x-empty"]),
            (&"x".parse().unwrap(), &"".parse().unwrap())
        );
        assert!(head.body.is_ended() && head.keep_alive);
        assert_eq!(&buffer[..], b"GET /next");
    }

    #[test]
    fn an_incomplete_head_takes_nothing() {
        let mut buffer = BytesMut::from("GET / HTTP/1.1\r\nHo");
        assert!(take(&mut buffer, 1024).unwrap().is_none());
        assert_eq!(buffer.len(), 18);
    }

    #[test]
    fn connections_persist_as_their_version_and_options_say() {
        let keeps = |version, fields| with(version, fields).unwrap().keep_alive;
        assert!(keeps("1.1", "A: b") && !keeps("1.1", "Connection: x, Close"));
        assert!(!keeps("1.0", "A: b") && keeps("1.0", "Connection: Keep-Alive"));
    }

    #[test]
    fn an_upgrade_is_one_in_http_1_1_without_a_body() {
        let fields = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket";
        assert!(with("1.1", fields).unwrap().upgrades);
        assert!(!with("1.0", fields).unwrap().upgrades);
        assert!(!with("1.1", &format!("{fields}\r\nContent-Length: 3")).unwrap().upgrades);
        assert!(!with("1.1", "Upgrade: websocket").unwrap().upgrades);
        assert!(!with("1.1", "Connection: upgrade\r\nUpgrade: h2c").unwrap().upgrades);
    }

    #[test]
    fn framing_that_could_be_read_twice_is_refused() {
        let refused = |version, fields: &str| with(version, fields).unwrap_err();
        assert_eq!(refused("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5"), 400);
        assert_eq!(refused("1.1", "Content-Length: 5\r\nContent-Length: 5"), 400);
        assert_eq!(refused("1.0", "Transfer-Encoding: chunked"), 400);
        for coding in ["gzip, chunked", "chunked, chunked", "xchunked", "identity", "\"chunked\"", ""] {
            assert_eq!(refused("1.1", &format!("Transfer-Encoding: {coding}")), 501, "{coding}");
        }
    }

    #[test]
    fn what_is_too_large_is_told_so() {
        let long = "x".repeat(17 * 1024);
        assert_eq!(with("1.1", &format!("X-Long: {long}")).unwrap_err(), 431);
        assert_eq!(head(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap_err(), 414);
        assert_eq!(head(&format!("GET /{long}")).unwrap_err(), 414);
        assert_eq!(with("1.1", &"A: b\r\n".repeat(200)).unwrap_err(), 431);
    }

    #[test]
    fn targets_that_are_none_are_refused() {
        for target in ["/a#b", "/\u{1}", "no-slash/x", "@a/"] {
            assert_eq!(
                head(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap_err(),
                400,
                "{target}"
            );
        }
    }

    #[test]
    fn another_version_is_told_so_and_what_is_none_is_malformed() {
        assert_eq!(head("GET / HTTP/3.0\r\nHost: a\r\n\r\n").unwrap_err(), 505);
        assert_eq!(head("GET / x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap_err(), 400);
        assert_eq!(head("GET / \r\n\r\n").unwrap_err(), 400);
    }

    const WORDS: &[&str] = &[
        "\r\n",
        "\r\n\r\n",
        "\n",
        ": ",
        " ",
        "HTTP/1.0",
        "Content-Length: 5\r\n",
        "Content-Length",
        "chunked",
        "Transfer-Encoding: chunked\r\n",
        "Connection: ",
        "keep-alive",
        "upgrade",
        "Host: a\r\n",
        "#",
        "http://b/",
    ];

    #[test]
    fn fuzz_request_head() {
        crate::fuzz::fuzz("request_head", WORDS, |input| {
            let mut buffer = BytesMut::from(input);
            let Ok(Some(head)) = take(&mut buffer, 2048) else { return };
            // One framing at most, and nothing of the head is left before the body.
            let length = head.headers.get_all("content-length").iter().count();
            let coding = head.headers.get_all("transfer-encoding").iter().count();
            assert!(length + coding <= 1);
            assert_eq!(matches!(head.body, Body::Chunked(_)), coding == 1);
            assert_eq!(head.declared.is_some(), length == 1);
            assert!(input.ends_with(&buffer) && buffer.len() < input.len());
            // What comes in two pieces is the same head.
            let cut = (input.len() - buffer.len()) / 2;
            let mut pieces = BytesMut::from(&input[..cut]);
            assert!(take(&mut pieces, 2048).unwrap().is_none());
            pieces.extend_from_slice(&input[cut..]);
            let again = take(&mut pieces, 2048).unwrap().unwrap();
            assert_eq!((again.headers, again.target), (head.headers, head.target));
        });
    }
}
