//! Is this a request that can be passed on without being misunderstood?

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{Method, StatusCode, Uri, Version};

use super::answer::Refusal;
use super::target;
use crate::policy::{Facts, Host};

/// Checks the head of a request and brings it into the gateway's own form: one host, lower case
/// and without port; the target without scheme and host; one `Cookie` field.
pub(super) fn admit(parts: Parts, body_length: Option<u64>, has_body: bool) -> Result<Facts, Refusal> {
    let Parts { method, uri, version, mut headers, .. } = parts;
    if method == Method::CONNECT {
        return Err(Refusal::closing(
            StatusCode::METHOD_NOT_ALLOWED,
            "this is a gateway, not a tunnel: CONNECT is not served",
        ));
    }
    if uri.scheme().is_none() && uri.authority().is_some() {
        return Err(Refusal::malformed("the target has no path: it must begin with `/`"));
    }
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(Refusal::malformed("the target's scheme is neither http nor https"));
    }
    let host = take_host(&uri, &mut headers, version)?;
    count_down_max_forwards(&method, &mut headers)?;
    if version == Version::HTTP_2 {
        join_cookies(&mut headers);
    }
    let target = target::normalize(without_authority(uri));
    let target = target.ok_or_else(|| Refusal::malformed("the target leads above the root"))?;
    let body_length = body_length.or((!has_body).then_some(0));
    Ok(Facts { method, target, host, headers, body_length, ..Facts::default() })
}

/// The host asked for, lower case and without its port: that of the target if it has one
/// (RFC 9112 section 3.2.2), which then becomes the `Host` field too; else that of `Host`, of
/// which HTTP/1.1 has exactly one.
fn take_host(uri: &Uri, headers: &mut HeaderMap, version: Version) -> Result<Host, Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let field = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::malformed("more than one Host field"));
    }
    let Some(target) = uri.authority() else {
        return match field {
            Some(field) => bare_host(field.as_bytes()),
            None if version >= Version::HTTP_11 => Err(Refusal::malformed("no host is asked for")),
            None => Ok(Host::new()),
        };
    };
    // HTTP/1.1 has a Host field, and a legal one, even where the target overrides it (RFC 9112
    // section 3.2).
    match field {
        None if version == Version::HTTP_11 => return Err(Refusal::malformed("no Host field")),
        Some(field) => drop(bare_host(field.as_bytes())?),
        None => {}
    }
    let agrees = |field: &HeaderValue| field.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes());
    if version == Version::HTTP_2 && !field.is_none_or(agrees) {
        return Err(Refusal::malformed("the Host field disagrees with :authority"));
    }
    let value = HeaderValue::from_str(target.as_str());
    let value = value.map_err(|_| Refusal::malformed("the host asked for is not a host"))?;
    let host = bare_host(value.as_bytes());
    headers.insert(header::HOST, value);
    host
}

/// The host without its port and the dot of a fully qualified name, in lower case. It must be
/// what a host may be: a name or an address; no user, no list, no path.
fn bare_host(authority: &[u8]) -> Result<Host, Refusal> {
    let literal = authority.first() == Some(&b'[');
    let bracket = if literal { memchr::memchr(b']', authority).map(|at| at + 1) } else { None };
    let end = bracket.or_else(|| memchr::memchr(b':', authority)).unwrap_or(authority.len());
    let (host, port) = authority.split_at(end);
    let port_is_number = match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~');
    let of_literal = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'[' | b']' | b':' | b'.' | b'%');
    let legal = if literal { host.iter().all(of_literal) } else { host.iter().all(of_name) };
    if host.is_empty() || !legal || !port_is_number {
        return Err(Refusal::malformed("the host asked for is not a host"));
    }
    let host = host.strip_suffix(b".").filter(|host| !host.is_empty()).unwrap_or(host);
    Ok(host.iter().map(u8::to_ascii_lowercase).collect())
}

/// RFC 9110 section 7.6.2: the last recipient answers `OPTIONS` and `TRACE` itself.
fn count_down_max_forwards(method: &Method, headers: &mut HeaderMap) -> Result<(), Refusal> {
    if !matches!(*method, Method::OPTIONS | Method::TRACE) {
        return Ok(());
    }
    let Some(value) = headers.get(header::MAX_FORWARDS) else { return Ok(()) };
    let left: Option<u32> = value.to_str().ok().and_then(|text| text.parse().ok());
    match left {
        Some(0) => Err(Refusal::plain(StatusCode::OK, "Max-Forwards is 0: this is the gateway")),
        Some(left) => {
            headers.insert(header::MAX_FORWARDS, HeaderValue::from(left - 1));
            Ok(())
        }
        None => Ok(()),
    }
}

/// HTTP/2 may send one cookie a field; HTTP/1.1 has one line (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Joining legal values with a legal separator gives a legal value.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

fn without_authority(uri: Uri) -> Uri {
    if uri.authority().is_none() {
        return uri;
    }
    let path = uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn admitted(version: Version, target: &str, fields: &[(&str, &str)]) -> Result<Facts, u16> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        admit(parts, None, false).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn the_host_is_the_hosts_name_in_lower_case() {
        let facts = admitted(Version::HTTP_11, "/x?y", &[("host", "A.Example:8080")]).unwrap();
        assert_eq!((&facts.host[..], facts.target.to_string().as_str()), (&b"a.example"[..], "/x?y"));
        let facts = admitted(Version::HTTP_11, "/", &[("host", "[::1]:80")]).unwrap();
        assert_eq!(&facts.host[..], b"[::1]");
    }

    #[test]
    fn the_target_wins_over_the_field_in_absolute_form() {
        let facts = admitted(Version::HTTP_11, "http://a.example/x", &[("host", "b")]).unwrap();
        assert_eq!(
            (&facts.host[..], &facts.headers["host"]),
            (&b"a.example"[..], &HeaderValue::from_static("a.example"))
        );
        assert_eq!(facts.target, "/x");
    }

    #[test]
    fn a_missing_double_or_impossible_host_is_refused() {
        assert_eq!(admitted(Version::HTTP_11, "/", &[]).unwrap_err(), 400);
        assert_eq!(admitted(Version::HTTP_11, "/", &[("host", "a"), ("host", "a")]).unwrap_err(), 400);
        for host in ["a b", "a@b", "a,b", "a/b", "a:x", ":80", "a:80:90"] {
            assert_eq!(admitted(Version::HTTP_11, "/", &[("host", host)]).unwrap_err(), 400, "{host}");
        }
        assert_eq!(admitted(Version::HTTP_11, "http://a/", &[]).unwrap_err(), 400);
        assert_eq!(admitted(Version::HTTP_11, "http://a/", &[("host", "a b")]).unwrap_err(), 400);
        assert!(admitted(Version::HTTP_10, "/", &[]).is_ok());
        assert!(admitted(Version::HTTP_10, "http://a/", &[]).is_ok());
        assert_eq!(admitted(Version::HTTP_2, "http://a/", &[("host", "b")]).unwrap_err(), 400);
    }

    #[test]
    fn cookie_crumbs_become_one_line() {
        let facts = admitted(Version::HTTP_2, "http://a/", &[("cookie", "a=1"), ("cookie", "b=2")]).unwrap();
        let cookies: Vec<_> = facts.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2"]);
    }

    #[test]
    fn max_forwards_counts_down_to_an_answer_of_our_own() {
        let request = |left: &'static str| {
            let request = Request::builder()
                .method("OPTIONS")
                .uri("/")
                .header("host", "a")
                .header("max-forwards", left);
            admit(request.body(()).unwrap().into_parts().0, None, false)
        };
        assert_eq!(request("3").unwrap().headers["max-forwards"], "2");
        assert_eq!(request("0").unwrap_err().status, 200);
    }

    #[test]
    fn fuzz_host() {
        let words = [":", "80", "[::1]", "]", "[", ".", "@", "a.example", "%", "/", ",", " "];
        crate::fuzz::fuzz("host", &words, |input| {
            let Ok(host) = bare_host(input) else { return };
            assert!(
                !host.is_empty()
                    && !host.iter().any(|byte| b"/@, \\?#".contains(byte) || byte.is_ascii_control())
            );
            assert!(!host.iter().any(u8::is_ascii_uppercase));
        });
    }
}
