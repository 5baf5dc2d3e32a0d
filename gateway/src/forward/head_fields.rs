//! Where the fields of a request's head go: into text for HTTP/1.1, into a map for HTTP/2.

use bytes::{BufMut, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue, TE};

/// Takes the fields of a head, in order. Names are in lower case.
pub(super) trait Fields {
    fn field(&mut self, name: &str, value: &[u8]);

    /// A list with one more entry.
    fn list(&mut self, name: &str, entries: &[&HeaderValue], last: &[u8]);

    /// Says that trailers are welcome in the answer.
    fn want_trailers(&mut self);
}

impl Fields for BytesMut {
    fn field(&mut self, name: &str, value: &[u8]) {
        put(self, &[name.as_bytes(), b": ", value, b"\r\n"]);
    }

    fn list(&mut self, name: &str, entries: &[&HeaderValue], last: &[u8]) {
        put(self, &[name.as_bytes(), b": "]);
        for entry in entries {
            put(self, &[entry.as_bytes(), b", "]);
        }
        put(self, &[last, b"\r\n"]);
    }

    fn want_trailers(&mut self) {
        self.put_slice(b"te: trailers\r\nconnection: te\r\n");
    }
}

impl Fields for HeaderMap {
    fn field(&mut self, name: &str, value: &[u8]) {
        // Names and values that come here are legal: they were parsed, or checked when rendered.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
        {
            self.append(name, value);
        }
    }

    fn list(&mut self, name: &str, entries: &[&HeaderValue], last: &[u8]) {
        let mut value = Vec::new();
        for entry in entries {
            value.extend_from_slice(entry.as_bytes());
            value.extend_from_slice(b", ");
        }
        value.extend_from_slice(last);
        self.field(name, &value);
    }

    fn want_trailers(&mut self) {
        self.insert(TE, HeaderValue::from_static("trailers"));
    }
}

pub(super) fn put(out: &mut BytesMut, pieces: &[&[u8]]) {
    for piece in pieces {
        out.put_slice(piece);
    }
}
