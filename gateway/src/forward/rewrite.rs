//! Another path for the backend.

use http::Uri;

use super::story::Story;
use super::target;
use crate::template::{Escape, Template, uri};

/// What the backend gets in place of the path that the client asked for: nginx's `proxy_pass`
/// with a path.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// So many bytes of the path, decoded, are replaced and the rest is kept: the prefix of the
    /// route. None replaces all of it.
    pub prefix: Option<usize>,
    /// What replaces them.
    pub with: Template,
}

impl Story {
    /// Path and query for the backend.
    pub(super) fn rewritten(&self, rewrite: &Rewrite) -> Box<str> {
        let target = &self.facts.target;
        let mut bytes = Vec::with_capacity(target.path().len() + 64);
        rewrite.with.render_escaped(Escape::Uri, self, &mut bytes);
        // The configuration's own part may have what a target may not.
        uri(&mut bytes, 0, b"#");
        if let Some(length) = rewrite.prefix {
            bytes.extend_from_slice(after_prefix(target.path(), length).as_bytes());
        }
        if let Some(query) = target.query()
            && !bytes.contains(&b'?')
        {
            bytes.push(b'?');
            bytes.extend_from_slice(query.as_bytes());
        }
        if bytes.first() != Some(&b'/') {
            bytes.insert(0, b'/');
        }
        normal(bytes)
    }

    /// What a group of the route's expression caught, fit for a URI.
    pub(super) fn write_capture(&self, group: u8, out: &mut Vec<u8>) {
        let Some(expression) = self.route.as_ref().and_then(|route| route.expression.as_ref()) else {
            return;
        };
        let path = target::decoded(self.facts.target.path());
        let start = out.len();
        out.extend_from_slice(expression.capture(usize::from(group), &path).as_bytes());
        uri(out, start, b"%?#");
    }
}

/// Resolves dots once more: what was caught may have put some together. A path that would lead
/// above the root ends there.
fn normal(bytes: Vec<u8>) -> Box<str> {
    let text = String::from_utf8(bytes).unwrap_or_default();
    let target = text.parse::<Uri>().ok().and_then(target::normalize);
    target
        .and_then(|target| target.into_parts().path_and_query)
        .map_or_else(|| "/".into(), |it| it.as_str().into())
}

/// What follows the first `length` bytes of the decoded path, as the client wrote it. Slashes
/// that matching had merged into one belong to what comes before.
fn after_prefix(path: &str, length: usize) -> &str {
    let bytes = path.as_bytes();
    let (mut at, mut decoded, mut last) = (0, 0, 0);
    while at < bytes.len() {
        let (byte, width) = unit(&bytes[at..]);
        let merged = byte == b'/' && last == b'/';
        if decoded == length && !merged {
            break;
        }
        decoded += usize::from(!merged);
        (at, last) = (at + width, byte);
    }
    path.get(at..).unwrap_or_default()
}

/// The byte that stands first, and in how many bytes it is written.
fn unit(bytes: &[u8]) -> (u8, usize) {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    match (bytes[0], digit(1), digit(2)) {
        (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
        (byte, ..) => (byte, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_path_stays_as_the_client_wrote_it() {
        for (path, prefix, rest) in [
            ("/api/x", "/api/", "x"),
            ("/%61pi/a%2Fb%20c", "/api/", "a%2Fb%20c"),
            ("//api///x//y", "/api/", "x//y"),
            ("/api", "/api", ""),
            ("/apiary", "/api", "ary"),
            ("/%C3%A9/x", "/\u{e9}", "/x"),
        ] {
            assert_eq!(after_prefix(path, prefix.len()), rest, "{path}");
        }
    }

    #[test]
    fn what_was_put_together_is_normal_again() {
        assert_eq!(&*normal(b"/v2/../x?q".to_vec()), "/x?q");
        assert_eq!(&*normal(b"/../x".to_vec()), "/");
    }

    #[test]
    fn fuzz_rewrite() {
        let words = ["/", "//", "%2f", "%2F", "%61", "%", "%4", "a", "%c3%a9"];
        crate::fuzz::fuzz("target", &words, |input| {
            let Ok(path) = std::str::from_utf8(input) else { return };
            let whole = target::decoded(path);
            for length in (1..=whole.len()).filter(|length| whole.is_char_boundary(*length)) {
                let rest = after_prefix(path, length);
                assert!(path.ends_with(rest));
                if !whole.contains(char::REPLACEMENT_CHARACTER) {
                    assert_eq!(format!("{}{}", &whole[..length], target::decoded(rest)), whole, "{path:?}");
                }
            }
        });
    }
}
