//! The head of an answer.

use bytes::{BufMut, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Method, StatusCode, Version};
use http_body::SizeHint;

use super::head::Head;

/// What the request says of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) version: Version,
    /// Answers to HEAD have no body, whatever their fields say.
    pub(super) bodiless: bool,
    pub(super) keep_alive: bool,
    pub(super) takes_trailers: bool,
}

impl Terms {
    pub(super) fn of(head: &Head) -> Self {
        Self {
            version: head.version,
            bodiless: head.method == Method::HEAD,
            keep_alive: head.keep_alive,
            takes_trailers: head.takes_trailers,
        }
    }

    /// Those of what is no request.
    pub(super) fn unreadable() -> Self {
        Self { version: Version::HTTP_11, bodiless: false, keep_alive: false, takes_trailers: false }
    }
}

/// How the body of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Not at all.
    None,
    /// As it is; its length is declared, or it ends with the connection.
    Plain,
    /// In chunks.
    Chunked,
}

/// Writes the head (RFC 9112 section 4), the framing made anew, and says how the body is sent and
/// whether the connection serves another request.
pub(super) fn write(
    parts: &Parts,
    size: &SizeHint,
    ended: bool,
    terms: Terms,
    date: &[u8; 29],
    out: &mut BytesMut,
) -> (Framing, bool) {
    out.reserve(1024);
    put(out, &[b"HTTP/1.1 ", parts.status.as_str().as_bytes(), b" "]);
    put(out, &[parts.status.canonical_reason().unwrap_or("").as_bytes(), b"\r\n"]);
    let seen = fields(&parts.headers, out);
    let tunnels = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    if !seen.date && !tunnels {
        put(out, &[b"date: ", date, b"\r\n"]);
    }
    let framing = frame(parts.status, &seen, size, ended, terms, out);
    let closes = seen.closes || !terms.keep_alive || !framing.1;
    match (closes, terms.version) {
        _ if tunnels => out.put_slice(b"connection: upgrade\r\n"),
        (true, _) => out.put_slice(b"connection: close\r\n"),
        (false, Version::HTTP_10) => out.put_slice(b"connection: keep-alive\r\n"),
        (false, _) => {}
    }
    out.put_slice(b"\r\n");
    (framing.0, !closes && !tunnels)
}

/// What was seen in passing, of which the gateway writes its own form.
#[derive(Debug, Default)]
struct Seen<'a> {
    length: Option<&'a HeaderValue>,
    date: bool,
    closes: bool,
}

fn fields<'a>(headers: &'a HeaderMap, out: &mut BytesMut) -> Seen<'a> {
    let mut seen = Seen::default();
    for (name, value) in headers {
        match *name {
            header::CONTENT_LENGTH => seen.length = Some(value),
            // Nobody behind us speaks for this connection but to end it.
            header::CONNECTION => seen.closes = true,
            header::TRANSFER_ENCODING => {}
            _ => {
                seen.date |= *name == header::DATE;
                put(out, &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
            }
        }
    }
    seen
}

/// How the body is sent, and whether its end will be known without closing (RFC 9112 section 6.3).
fn frame(
    status: StatusCode,
    seen: &Seen<'_>,
    size: &SizeHint,
    ended: bool,
    terms: Terms,
    out: &mut BytesMut,
) -> (Framing, bool) {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return (Framing::Plain, true);
    }
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        return (Framing::None, true);
    }
    let bodiless = terms.bodiless || status == StatusCode::NOT_MODIFIED;
    let sent = if bodiless || ended { Framing::None } else { Framing::Plain };
    if let Some(length) = seen.length {
        put(out, &[b"content-length: ", length.as_bytes(), b"\r\n"]);
        return (sent, true);
    }
    if bodiless && ended {
        return (Framing::None, true);
    }
    if let Some(length) = size.exact().or(ended.then_some(0)) {
        put(out, &[b"content-length: ", itoa::Buffer::new().format(length).as_bytes(), b"\r\n"]);
        return (sent, true);
    }
    if bodiless {
        return (Framing::None, true);
    }
    if terms.version == Version::HTTP_10 {
        return (Framing::Plain, false);
    }
    out.put_slice(b"transfer-encoding: chunked\r\n");
    (Framing::Chunked, true)
}

fn put(out: &mut BytesMut, pieces: &[&[u8]]) {
    for piece in pieces {
        out.put_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    const TERMS: Terms =
        Terms { version: Version::HTTP_11, bodiless: false, keep_alive: true, takes_trailers: false };

    fn written(
        response: http::response::Builder,
        size: &SizeHint,
        ended: bool,
        terms: Terms,
    ) -> (String, Framing, bool) {
        let (parts, ()) = response.body(()).unwrap().into_parts();
        let mut out = BytesMut::new();
        let (framing, keeps) = write(&parts, size, ended, terms, b"Sun, 06 Nov 1994 08:49:37 GMT", &mut out);
        (String::from_utf8(out.to_vec()).unwrap(), framing, keeps)
    }

    #[test]
    fn a_declared_length_is_kept() {
        let response = Response::builder().header("content-length", "5").header("x-a", "b");
        let (head, framing, keeps) = written(response, &SizeHint::default(), false, TERMS);
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\nx-a: b\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 5\r\n\r\n"
        );
        assert_eq!((framing, keeps), (Framing::Plain, true));
    }

    #[test]
    fn an_unknown_length_is_chunked_or_ends_the_connection() {
        let (head, framing, keeps) = written(Response::builder(), &SizeHint::default(), false, TERMS);
        assert!(head.ends_with("transfer-encoding: chunked\r\n\r\n") && keeps);
        assert_eq!(framing, Framing::Chunked);
        let old = Terms { version: Version::HTTP_10, ..TERMS };
        let (head, framing, keeps) = written(Response::builder(), &SizeHint::default(), false, old);
        assert!(head.ends_with("connection: close\r\n\r\n") && !keeps);
        assert_eq!(framing, Framing::Plain);
    }

    #[test]
    fn answers_without_a_body_say_no_more_than_they_must() {
        let head = Terms { bodiless: true, ..TERMS };
        let none = SizeHint::with_exact(0);
        for (status, terms, length) in
            [(204, TERMS, false), (304, TERMS, false), (200, head, false), (200, TERMS, true)]
        {
            let (text, framing, keeps) = written(Response::builder().status(status), &none, true, terms);
            assert_eq!(
                (text.contains("content-length: 0"), framing, keeps),
                (length, Framing::None, true),
                "{text}"
            );
        }
    }

    #[test]
    fn a_tunnel_begins_with_101_and_ends_with_the_connection() {
        let response = Response::builder().status(101).header("upgrade", "websocket");
        let (head, framing, keeps) = written(response, &SizeHint::default(), false, TERMS);
        let expected =
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
        assert_eq!((head.as_str(), framing, keeps), (expected, Framing::Plain, false));
    }

    #[test]
    fn an_old_client_is_told_that_the_connection_stays() {
        let old = Terms { version: Version::HTTP_10, ..TERMS };
        let (head, _, keeps) = written(Response::builder(), &SizeHint::with_exact(2), false, old);
        assert!(head.contains("connection: keep-alive\r\n") && keeps);
        let (head, _, keeps) = written(
            Response::builder().header("connection", "close"),
            &SizeHint::with_exact(2),
            false,
            TERMS,
        );
        assert!(head.contains("connection: close\r\n") && !keeps);
    }
}
