//! What must not stand in a log line as it is.
//!
//! Values come from clients, and log lines are read by programs: a quote or a line feed in a
//! header must not be able to end a field or to forge a line. Both escapes are nginx's (`escape=`
//! of `log_format`), so that programs which read nginx's logs read ours.

/// How the values of variables are written into a log line; the constants between them are the
/// operator's and stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// nginx's `escape=default`: `"`, `\`, control characters and everything beyond ASCII as
    /// `\xHH`; a missing value as `-`. Other than in nginx, an empty value counts as missing.
    #[default]
    Text,
    /// nginx's `escape=json`: for use between the quotes of a JSON string. A missing value is
    /// empty. Other than in nginx, bytes that are not UTF-8 become U+FFFD, because they would
    /// make the whole line unreadable to JSON readers.
    Json,
    /// For a target or a `Location`: what cannot stand in a URI is percent-encoded. A `%` stays,
    /// because nearly all values are encoded already.
    Uri,
    /// For text in a page of HTML: `&`, `<`, `>` and quotes become references.
    Html,
    /// nginx's `escape=none`: nothing is escaped; a missing value is empty.
    None,
}

impl Escape {
    /// Escapes what `out` holds from `start` on: a value that was just written there.
    pub(super) fn apply(self, out: &mut Vec<u8>, start: usize) {
        match self {
            Self::Text if out.len() == start => out.push(b'-'),
            Self::Text => text(out, start),
            Self::Json => json(out, start),
            Self::Uri => uri(out, start, b""),
            Self::Html => html(out, start),
            Self::None => {}
        }
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn hex(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

/// `ngx_http_log_escape`.
fn text(out: &mut Vec<u8>, start: usize) {
    let plain = |byte: u8| matches!(byte, 0x20..0x7f) && byte != b'"' && byte != b'\\';
    let special = out[start..].iter().filter(|byte| !plain(**byte)).count();
    widen(out, start, 3 * special, |byte, room| {
        if plain(byte) {
            return one(byte, room);
        }
        let [high, low] = hex(byte);
        put(&[b'\\', b'x', high, low], room)
    });
}

/// Escapes what `out` holds from `start` on, so that it may stand in a JSON string
/// (`ngx_escape_json`, RFC 8259 section 7).
pub fn json(out: &mut Vec<u8>, start: usize) {
    let extra = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    };
    // Rare, and the only case in which a line costs an allocation.
    if !out[start..].is_ascii() && std::str::from_utf8(&out[start..]).is_err() {
        let mended = String::from_utf8_lossy(&out[start..]).into_owned();
        out.truncate(start);
        out.extend_from_slice(mended.as_bytes());
    }
    let special = out[start..].iter().map(extra).sum();
    widen(out, start, special, |byte, room| {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => {
                let [high, low] = hex(byte);
                return put(&[b'\\', b'u', b'0', b'0', high, low], room);
            }
            _ => return one(byte, room),
        };
        put(&[b'\\', short], room)
    });
}

/// Percent-encodes what `out` holds from `start` on and cannot stand in a URI (RFC 3986 section
/// 2), and the bytes of `also`.
pub fn uri(out: &mut Vec<u8>, start: usize, also: &[u8]) {
    let plain = |byte: u8| {
        matches!(byte, 0x21..0x7f)
            && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
            && !also.contains(&byte)
    };
    let special = out[start..].iter().filter(|byte| !plain(**byte)).count();
    widen(out, start, 2 * special, |byte, room| {
        if plain(byte) {
            return one(byte, room);
        }
        let [high, low] = hex(byte);
        put(&[b'%', high, low], room)
    });
}

fn html(out: &mut Vec<u8>, start: usize) {
    let reference = |byte: u8| -> &'static [u8] {
        match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&#34;",
            b'\'' => b"&#39;",
            _ => b"",
        }
    };
    let extra = out[start..].iter().map(|byte| reference(*byte).len().saturating_sub(1)).sum();
    widen(out, start, extra, |byte, room| match reference(byte) {
        b"" => one(byte, room),
        reference => put(reference, room),
    });
}

/// Makes room for `extra` bytes and rewrites the bytes from `start` on in place, the last one
/// first. `rewrite` puts what stands for a byte at the end of the room it is given and answers
/// the room that is left.
fn widen(out: &mut Vec<u8>, start: usize, extra: usize, rewrite: impl Fn(u8, &mut [u8]) -> usize) {
    if extra == 0 {
        return;
    }
    let mut read = out.len();
    let mut write = read + extra;
    out.resize(write, 0);
    while read > start {
        read -= 1;
        write = rewrite(out[read], &mut out[..write]);
    }
}

fn one(byte: u8, room: &mut [u8]) -> usize {
    put(&[byte], room)
}

fn put(bytes: &[u8], room: &mut [u8]) -> usize {
    let left = room.len() - bytes.len();
    room[left..].copy_from_slice(bytes);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(escape: Escape, value: &[u8]) -> String {
        let mut out = b"kept\n".to_vec();
        let start = out.len();
        out.extend_from_slice(value);
        escape.apply(&mut out, start);
        String::from_utf8(out).unwrap().strip_prefix("kept\n").unwrap().to_owned()
    }

    /// What nginx 1.22.1 wrote for a request whose header held these bytes.
    #[test]
    fn a_hostile_header_is_logged_byte_for_byte_as_nginx_logged_it() {
        let header = b"a\"\\\t\x01\x1f\x7f\x80\xc3\xa9\xffz";
        assert_eq!(escaped(Escape::Text, header), r"a\x22\x5C\x09\x01\x1F\x7F\x80\xC3\xA9\xFFz");
        assert_eq!(escaped(Escape::Json, &header[..7]), "a\\\"\\\\\\t\\u0001\\u001F\x7f");
    }

    #[test]
    fn text_is_escaped_as_nginx_does_it() {
        let text = |value| escaped(Escape::Text, value);
        assert_eq!(text(b"curl/8 (x; ~)"), "curl/8 (x; ~)");
        assert_eq!(text(b"a\"b\\c"), "a\\x22b\\x5Cc");
        assert_eq!(text("é\t\x7f".as_bytes()), "\\xC3\\xA9\\x09\\x7F");
        assert_eq!(text(b""), "-");
    }

    #[test]
    fn json_is_escaped_as_nginx_does_it() {
        let json = |value| escaped(Escape::Json, value);
        assert_eq!(json(b"a\"b\\c\n\r\t\x08\x0c"), "a\\\"b\\\\c\\n\\r\\t\\b\\f");
        assert_eq!(json("\x01\x1f\x7fé".as_bytes()), "\\u0001\\u001F\x7fé");
        assert_eq!(json(b""), "");
    }

    #[test]
    fn json_is_always_readable_whatever_a_client_sends() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let line = format!("\"{}\"", escaped(Escape::Json, &every_byte));
        let read: String = serde_json::from_str(&line).unwrap();
        assert_eq!(read, String::from_utf8_lossy(&every_byte));
    }

    #[test]
    fn a_value_cannot_leave_its_place_in_a_uri_or_a_page() {
        assert_eq!(escaped(Escape::Uri, b"/a b\r\n%20?x=\"<\xc3"), "/a%20b%0D%0A%20?x=%22%3C%C3");
        assert_eq!(escaped(Escape::Html, b"<b class='x'>&\""), "&lt;b class=&#39;x&#39;&gt;&amp;&#34;");
        let mut out = b"/x".to_vec();
        uri(&mut out, 1, b"x");
        assert_eq!(out, b"/%78");
    }

    #[test]
    fn nothing_is_escaped_when_nothing_shall_be() {
        assert_eq!(escaped(Escape::None, b"\"\n"), "\"\n");
        assert_eq!(escaped(Escape::None, b""), "");
    }
}
