//! Balancing by redirect: clients are told where to go, and go there themselves.

use http::header::{self, HeaderValue};
use http::{Method, Response, StatusCode};

use super::Body;
use super::page::{Content, Page};
use super::story::{Story, Tried};

impl Story {
    /// Sends the client to the backend that was picked, if that is how its upstream works. The
    /// backend's count of attempts learns of it, its times and what is in flight cannot.
    pub(super) fn redirect(&mut self, backend: usize) -> Option<Response<Body>> {
        let redirect = self.upstream().redirect.as_ref()?;
        let plain = matches!(self.facts.method, Method::GET | Method::HEAD);
        let usual = if plain { StatusCode::FOUND } else { StatusCode::TEMPORARY_REDIRECT };
        let status = redirect.status.unwrap_or(usual);
        let location = format!("{}{}", redirect.public[backend], self.backend_target());
        self.upstream().backends[backend].stats.count_redirect();
        self.tried.push(Tried { backend, status: status.as_u16(), connect: 0, first_byte: 0, total: 0 });
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        let page = Page { status: Some(status), location: None, content: Content::Status, content_type };
        let mut response = self.show(&page, status);
        let headers = response.headers_mut();
        headers.extend(HeaderValue::try_from(location).ok().map(|location| (header::LOCATION, location)));
        if !matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT) {
            // The next request may belong elsewhere.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Some(response)
    }
}
