//! The head of an answer.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use smallvec::SmallVec;

use super::framing::Declared;
use super::{Error, Framing};
use crate::http1::{Invalid, Place, decimal, offence};

/// Most bytes of an answer's head.
pub(in crate::upstream) const MAX_HEAD: usize = 64 * 1024;
/// Most fields of an answer.
const MAX_FIELDS: usize = 128;

/// The head of an answer, final or interim, cleaned of what concerns only this connection.
#[derive(Debug)]
pub struct Head {
    /// Status.
    pub status: StatusCode,
    /// Fields, without hop-by-hop ones (RFC 9110 section 7.6.1).
    pub headers: HeaderMap,
    /// Where its body ends.
    pub framing: Framing,
    /// May the connection serve another request afterwards?
    pub keep_alive: bool,
}

/// Takes one head from the front of `buffer`; none while it is incomplete.
///
/// `upgrades`: the request asked for another protocol, so 101 is an answer to it.
pub(super) fn take(buffer: &mut BytesMut, method: &Method, upgrades: bool) -> Result<Option<Head>, Error> {
    // Left uninitialised: clearing 4 KiB for each answer would cost as much as parsing it.
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        buffer,
        &mut slots,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() > MAX_HEAD => {
            return Err(Error::HeadTooLarge(MAX_HEAD));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(offence(error).into()),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Invalid("a status code out of range"))?;
    let version_11 = response.version == Some(1);
    let start = buffer.as_ptr();
    let places: SmallVec<[Place; 24]> =
        response.headers.iter().map(|field| Place::of(field, start)).collect();
    let bytes = buffer.split_to(length).freeze();
    let (headers, noted) = fields(&bytes, &places)?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return if upgrades { noted.tunnel(status, headers).map(Some) } else { Err(UNASKED.into()) };
    }
    finish(method, status, version_11, (headers, noted)).map(Some)
}

/// What the fields say of this connection and of the framing. They end here, so they are noted
/// while the others are kept, instead of being looked for and removed afterwards.
#[derive(Debug, Default)]
struct Noted {
    lengths: u32,
    codings: u32,
    framing: Declared,
    connection: SmallVec<[HeaderValue; 1]>,
    upgrade: Option<HeaderValue>,
}

const UNASKED: Invalid = Invalid("101 Switching Protocols, which nobody asked for");

fn fields(bytes: &Bytes, places: &[Place]) -> Result<(HeaderMap, Noted), Invalid> {
    let mut headers = HeaderMap::with_capacity(places.len());
    let mut noted = Noted::default();
    for place in places {
        let (name, value) = place.take(bytes)?;
        if noted.keeps(&name, &value)? {
            headers.append(name, value);
        }
    }
    Ok((headers, noted))
}

impl Noted {
    /// Notes what there is to note, and says whether the field goes on to the client.
    fn keeps(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, Invalid> {
        match name.as_str() {
            "content-length" => {
                self.lengths += 1;
                self.framing.length = Some(decimal(value.as_bytes())?);
                return Ok(true);
            }
            "transfer-encoding" => {
                self.codings += 1;
                self.framing.chunked = Some(value.as_bytes().eq_ignore_ascii_case(b"chunked"));
            }
            "connection" => self.connection.push(value.clone()),
            "upgrade" => self.upgrade = Some(value.clone()),
            "keep-alive" | "proxy-connection" | "te" => {}
            _ => return Ok(true),
        }
        Ok(false)
    }

    /// The head of a 101: what follows is no longer HTTP (RFC 9110 section 7.8).
    fn tunnel(self, status: StatusCode, mut headers: HeaderMap) -> Result<Head, Error> {
        let upgrade = self.upgrade.as_ref().ok_or(Invalid("101 without a protocol to switch to"))?;
        self.strip_named(&mut headers, true);
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::UPGRADE, upgrade.clone());
        Ok(Head { status, headers, framing: Framing::UntilClose, keep_alive: false })
    }

    fn check(&self) -> Result<(), Invalid> {
        match (self.lengths, self.codings) {
            (0 | 1, 0 | 1) => Ok(()),
            (0 | 1, _) => Err(Invalid("two Transfer-Encoding fields")),
            _ => Err(Invalid("two Content-Length fields")),
        }
    }

    /// Removes the fields that `Connection` names, and says whether the connection persists
    /// (RFC 9112 section 9.3).
    fn strip_named(&self, headers: &mut HeaderMap, version_11: bool) -> bool {
        let mut keep_alive = version_11;
        let lists = self.connection.iter().filter_map(|value| value.to_str().ok());
        for name in lists.flat_map(|list| list.split(',')).map(str::trim) {
            match name {
                _ if name.eq_ignore_ascii_case("close") => keep_alive = false,
                // A 1.0 backend that says it stays open is believed only where it matters: nowhere.
                _ if name.eq_ignore_ascii_case("keep-alive") => {}
                // The framing is the gateway's own; a backend cannot name it away.
                _ if name.eq_ignore_ascii_case("content-length") => {}
                _ => drop(headers.remove(name)),
            }
        }
        keep_alive
    }
}

fn finish(
    method: &Method,
    status: StatusCode,
    version_11: bool,
    (mut headers, noted): (HeaderMap, Noted),
) -> Result<Head, Error> {
    noted.check()?;
    let framing = if status.is_informational() {
        Framing::None
    } else {
        Framing::of(method, status, version_11, &noted.framing)?
    };
    let keep_alive = noted.strip_named(&mut headers, version_11) && framing != Framing::UntilClose;
    Ok(Head { status, headers, framing, keep_alive })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, Error> {
        take(&mut BytesMut::from(text), &Method::GET, false)
    }

    #[test]
    fn a_head_is_taken_and_what_follows_stays() {
        let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Empty:\r\n\r\nok");
        let head = take(&mut buffer, &Method::GET, false).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), head.framing, head.keep_alive), (200, Framing::Length(2), true));
        assert_eq!(head.headers["x-empty"], "");
        assert_eq!(&buffer[..], b"ok");
    }

    #[test]
    fn an_incomplete_head_takes_nothing() {
        assert!(head("HTTP/1.1 200 OK\r\nContent-Le").unwrap().is_none());
    }

    #[test]
    fn fields_of_the_connection_end_here() {
        let text = "HTTP/1.1 200 OK\r\nConnection: X-Hop, close, content-length\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\nX-Stays: 1\r\n\r\n";
        let head = head(text).unwrap().unwrap();
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "x-stays"]);
        assert!(!head.keep_alive);
    }

    #[test]
    fn a_tunnel_needs_to_be_asked_for_and_to_be_named() {
        let tunnel = |text, upgrades| take(&mut BytesMut::from(text), &Method::GET, upgrades);
        let named = "HTTP/1.1 101 Sure\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        let head = tunnel(named, true).unwrap().unwrap();
        assert_eq!(
            (head.framing, &head.headers["upgrade"]),
            (Framing::UntilClose, &"websocket".parse().unwrap())
        );
        assert!(tunnel(named, false).is_err() && tunnel("HTTP/1.1 101 Sure\r\n\r\n", true).is_err());
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 99 no\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n fold\r\n\r\n",
            "HTTP/1.1 101 Sure\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ] {
            assert!(head(text).is_err(), "{text:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MAX_HEAD));
        assert!(matches!(head(&endless), Err(Error::HeadTooLarge(_))));
    }

    const WORDS: &[&str] = &[
        "\r\n",
        "\r\n\r\n",
        "\n",
        ": ",
        "HTTP/1.1 ",
        "101",
        "204",
        "Content-Length: 5\r\n",
        "Content-Length",
        "chunked",
        "Transfer-Encoding: chunked\r\n",
        "Connection: ",
        "close",
        "Upgrade: websocket\r\n",
    ];

    #[test]
    fn fuzz_answer_head() {
        crate::fuzz::fuzz("answer_head", WORDS, |input| {
            for upgrades in [false, true] {
                let mut buffer = BytesMut::from(input);
                let Ok(Some(head)) = take(&mut buffer, &Method::GET, upgrades) else { continue };
                assert!(
                    !head.headers.contains_key("transfer-encoding")
                        && !head.headers.contains_key("connection")
                );
                assert!(head.headers.get_all("content-length").iter().count() <= 1);
                assert!(upgrades || head.status != StatusCode::SWITCHING_PROTOCOLS);
                assert!(input.ends_with(&buffer) && buffer.len() < input.len());
            }
        });
    }
}
