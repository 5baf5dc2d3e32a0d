//! Which answers are compressed.

use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, Version};

use super::{Coding, Levels, choose};

/// What is compressed, and how.
#[derive(Clone, Debug)]
pub struct Compression {
    /// The codings, the best first.
    pub codings: Vec<Coding>,
    /// The media types.
    pub types: Types,
    /// Fewest bytes of a body whose length is known (nginx `gzip_min_length`).
    pub min_size: u64,
    /// How hard each coding tries.
    pub levels: Levels,
}

/// A list of media types: `text/html`, `text/*`, `*+json`, `*`. Lower case.
#[derive(Clone, Debug, Default)]
pub struct Types(pub Vec<Box<str>>);

impl Types {
    /// Is this media type (without parameters) among them?
    #[must_use]
    pub fn contain(&self, media_type: &str) -> bool {
        let media_type = media_type.as_bytes();
        self.0.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(ending), _) => {
                let at = media_type.len().saturating_sub(ending.len());
                media_type[at..].eq_ignore_ascii_case(ending.as_bytes())
            }
            (None, Some(beginning)) => media_type
                .get(..beginning.len())
                .is_some_and(|part| part.eq_ignore_ascii_case(beginning.as_bytes())),
            (None, None) => media_type.eq_ignore_ascii_case(pattern.as_bytes()),
        })
    }
}

impl Compression {
    /// May an answer with these fields be compressed, if its client wants that? Not one that is
    /// encoded already, a part of something, forbidden to be changed, too small, of another type,
    /// or a stream of events, whose readers wait for each of them.
    #[must_use]
    pub fn suits(&self, status: StatusCode, headers: &HeaderMap, size: Option<u64>) -> bool {
        let bodiless = status.is_informational()
            || matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
            );
        let fixed = headers.contains_key(header::CONTENT_ENCODING)
            || headers.contains_key(header::CONTENT_RANGE)
            || has_token(headers, header::CACHE_CONTROL, "no-transform");
        if bodiless || fixed || size.is_some_and(|size| size < self.min_size) {
            return false;
        }
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        !media_type.is_empty()
            && !media_type.eq_ignore_ascii_case("text/event-stream")
            && self.types.contain(media_type)
    }

    /// The coding for a client that sent these fields. HTTP/1.0 gets none, because it has no
    /// chunks (nginx `gzip_http_version`).
    #[must_use]
    pub fn choose(&self, version: Version, headers: &HeaderMap) -> Option<Coding> {
        if version == Version::HTTP_10 {
            return None;
        }
        let fields = headers.get_all(header::ACCEPT_ENCODING).iter();
        choose(fields.filter_map(|value| value.to_str().ok()), &self.codings)
    }

    /// Says in the fields of an answer that it could be compressed.
    pub fn mark_varying(headers: &mut HeaderMap) {
        let known = |token| has_token(headers, header::VARY, token);
        if !known("*") && !known("accept-encoding") {
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
    }

    /// Says in the fields of an answer that it is compressed. Its length is another, parts of it
    /// cannot be asked for, and it is no longer byte for byte what its `ETag` stands for
    /// (RFC 9110 section 8.8.1).
    pub fn mark_encoded(coding: Coding, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        let strong = headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
        let weak = strong.map(|etag| HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()));
        if let Some(Ok(weak)) = weak {
            headers.insert(header::ETAG, weak);
        }
    }
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compression() -> Compression {
        let types = ["text/html", "*+json", "font/*"].map(Into::into).into();
        let levels = Levels { gzip: 5, brotli: 4, zstd: 3 };
        Compression { codings: vec![Coding::Gzip], types: Types(types), min_size: 100, levels }
    }

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(pair).collect()
    }

    fn suits(more: &[(&'static str, &'static str)]) -> bool {
        compression().suits(StatusCode::OK, &fields(more), None)
    }

    #[test]
    fn types_are_compared_without_parameters_and_capitals() {
        assert!(suits(&[("content-type", "Text/HTML; charset=utf-8")]));
        assert!(suits(&[("content-type", "application/problem+json")]));
        assert!(suits(&[("content-type", "font/ttf")]));
        assert!(!suits(&[("content-type", "text/plain")]));
        assert!(!suits(&[]));
    }

    #[test]
    fn what_must_stay_as_it_is_stays() {
        let html = ("content-type", "text/html");
        for field in [
            ("content-encoding", "br"),
            ("content-range", "bytes 0-1/2"),
            ("cache-control", "public, No-Transform"),
        ] {
            assert!(!suits(&[html, field]), "{field:?}");
        }
        for status in [204, 206, 304] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(!compression().suits(status, &fields(&[html]), None), "{status}");
        }
        assert!(!compression().suits(StatusCode::OK, &fields(&[html]), Some(99)));
        assert!(compression().suits(StatusCode::OK, &fields(&[html]), Some(100)));
    }

    #[test]
    fn a_stream_of_events_is_never_compressed() {
        let all = Compression { types: Types(vec!["*".into()]), ..compression() };
        let events = fields(&[("content-type", "text/event-stream")]);
        assert!(!all.suits(StatusCode::OK, &events, None));
        assert!(all.suits(StatusCode::OK, &fields(&[("content-type", "image/bmp")]), None));
    }

    #[test]
    fn marks_are_made_once() {
        let mut headers = fields(&[("vary", "Cookie, accept-encoding"), ("etag", "W/\"a\"")]);
        Compression::mark_varying(&mut headers);
        Compression::mark_encoded(Coding::Gzip, &mut headers);
        assert_eq!(headers["vary"], "Cookie, accept-encoding");
        assert_eq!(headers["etag"], "W/\"a\"");
        let mut headers = fields(&[("vary", "Cookie"), ("etag", "\"a\""), ("accept-ranges", "bytes")]);
        Compression::mark_varying(&mut headers);
        Compression::mark_encoded(Coding::Brotli, &mut headers);
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["Cookie", "Accept-Encoding"]);
        assert_eq!(
            (&headers["etag"], &headers["content-encoding"]),
            (&HeaderValue::from_static("W/\"a\""), &HeaderValue::from_static("br"))
        );
        assert!(!headers.contains_key("accept-ranges"));
    }
}
