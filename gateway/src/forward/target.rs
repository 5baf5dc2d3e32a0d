//! The target of a request in the form that is both matched and forwarded.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

/// Resolves the dot segments of a target's path (RFC 3986 section 5.2.4), `%2e` included, so
/// that a backend cannot see another path than the one that was routed. Everything else stays as
/// it was received. None when a `..` leads above the root, or nothing legal is left.
pub(super) fn normalize(target: Uri) -> Option<Uri> {
    if !has_dot_segments(target.path()) {
        return Some(target);
    }
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = target.path().split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match dots(segment) {
            0 => kept.push(segment),
            1 if last => kept.push(""),
            1 => {}
            _ => {
                kept.pop()?;
                if last {
                    kept.push("");
                }
            }
        }
    }
    let mut path = format!("/{}", kept.join("/"));
    if let Some(query) = target.query() {
        path.push('?');
        path.push_str(query);
    }
    path.parse::<PathAndQuery>().ok().map(Uri::from)
}

/// The path as routes see it: percent-decoded, with repeated slashes merged, as in nginx
/// (`merge_slashes`). A path that is plain, as nearly all are, costs a scan.
pub(super) fn decoded(path: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', path.as_bytes()).is_none()
        && memchr::memmem::find(path.as_bytes(), b"//").is_none()
    {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut merged = String::with_capacity(decoded.len());
    for character in decoded.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    Cow::Owned(merged)
}

fn has_dot_segments(path: &str) -> bool {
    let begins_with_a_dot =
        |at: usize| path.as_bytes()[at + 1..].first().is_some_and(|byte| matches!(byte, b'.' | b'%'));
    memchr::memchr_iter(b'/', path.as_bytes()).any(begins_with_a_dot)
}

/// 1 for `.`, 2 for `..`, in any spelling; 0 for everything else.
fn dots(segment: &str) -> usize {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        let next =
            rest.strip_prefix('.').or_else(|| rest.strip_prefix("%2e")).or_else(|| rest.strip_prefix("%2E"));
        match next {
            Some(next) if dots < 2 => (rest, dots) = (next, dots + 1),
            _ => return 0,
        }
    }
    dots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(target: &str) -> Option<String> {
        normalize(target.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn dot_segments_are_resolved_in_every_spelling() {
        for (target, expected) in [
            ("/open/../closed", "/closed"),
            ("/open/%2e%2E/closed?a=/../b", "/closed?a=/../b"),
            ("/a/./b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/.hidden/..x/...", "/.hidden/..x/..."),
            ("/a%2Fb/%2fetc", "/a%2Fb/%2fetc"),
            ("/plain//x", "/plain//x"),
        ] {
            assert_eq!(normal(target).as_deref(), Some(expected), "{target}");
        }
    }

    #[test]
    fn nothing_leads_above_the_root() {
        assert_eq!(normal("/../x"), None);
        assert_eq!(normal("/a/../../x"), None);
    }

    #[test]
    fn routes_see_what_a_backend_would_understand() {
        assert_eq!(decoded("/%63losed//x"), "/closed/x");
        assert!(matches!(decoded("/plain/path"), Cow::Borrowed(_)));
    }

    #[test]
    fn fuzz_target() {
        let words = ["/", "..", "/../", "%2e", "%2E%2e", "%2f", "//", ".", "?", "/./"];
        crate::fuzz::fuzz("target", &words, |input| {
            let Ok(target) = Uri::try_from(input) else { return };
            let Some(normal) = normalize(target) else { return };
            let text = normal.to_string();
            assert_eq!(
                normalize(normal.clone()).map(|again| again.to_string()),
                Some(text),
                "it is normal already"
            );
            assert!(
                !decoded(normal.path()).split('/').any(|segment| segment == "..")
                    || normal.path().contains("%2")
            );
        });
    }
}
