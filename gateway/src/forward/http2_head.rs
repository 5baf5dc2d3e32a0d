//! The head of a request as a backend gets it that speaks HTTP/2.

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Request, Uri};

use super::request_head;
use super::story::Story;

/// Composes the head: the same fields as in HTTP/1.1, with the host as `:authority` (RFC 9113
/// section 8.3.1). `:scheme` is that of the connection to the backend, as in nginx's `grpc_pass`.
///
/// # Errors
/// The host asked for cannot stand in a URI.
pub(super) fn compose(story: &Story, chunked: bool, encrypted: bool) -> Result<Request<()>, http::Error> {
    let mut headers = HeaderMap::with_capacity(story.facts.headers.len() + 8);
    request_head::fields(story, false, &mut headers);
    let host = headers.remove(HOST);
    if !chunked && story.declares_length() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(story.facts.body_length.unwrap_or(0)));
    }
    let uri = Uri::builder()
        .scheme(if encrypted { "https" } else { "http" })
        .authority(host.as_ref().map_or(&b""[..], HeaderValue::as_bytes))
        .path_and_query(story.backend_target())
        .build()?;
    let mut request = Request::new(());
    *request.method_mut() = story.facts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}
