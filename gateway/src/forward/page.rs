//! Answers that the configuration has written: `return` and error pages.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::story::Story;
use super::{Body, whole};
use crate::template::{Escape, Template};

/// An answer that the gateway gives by itself.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its status; none keeps that of the error it stands for.
    pub status: Option<StatusCode>,
    /// Where the client shall go instead.
    pub location: Option<Template>,
    /// Its content.
    pub content: Content,
    /// `Content-Type`, if it has content.
    pub content_type: HeaderValue,
}

/// What a page says.
#[derive(Clone, Debug)]
pub enum Content {
    /// The status, in a line.
    Status,
    /// These bytes.
    Bytes(Bytes),
    /// A text, and how the values of its variables are written there.
    Text(Template, Escape),
}

/// Pages by the status they stand for.
#[derive(Clone, Debug, Default)]
pub struct Pages(Vec<(u16, Page)>);

impl Pages {
    /// Sets the page for a status.
    pub fn insert(&mut self, status: u16, page: Page) {
        match self.0.binary_search_by_key(&status, |(known, _)| *known) {
            Ok(place) => self.0[place].1 = page,
            Err(place) => self.0.insert(place, (status, page)),
        }
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The statuses and their pages.
    pub fn iter(&self) -> impl Iterator<Item = &(u16, Page)> {
        self.0.iter()
    }

    /// The page for a status.
    #[must_use]
    pub fn get(&self, status: u16) -> Option<&Page> {
        let place = self.0.binary_search_by_key(&status, |(known, _)| *known).ok()?;
        Some(&self.0[place].1)
    }
}

impl Story {
    /// The answer that a page is. `status` is that of the error it stands for.
    pub(super) fn show(&mut self, page: &Page, status: StatusCode) -> Response<Body> {
        let status = page.status.unwrap_or(status);
        self.status = status.as_u16();
        let mut response = Response::new(self.content(&page.content, status));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(location) = &page.location {
            let value = self.worker.with_scratch(|value| {
                location.render_escaped(Escape::Uri, self, value);
                HeaderValue::from_bytes(value).ok()
            });
            headers.extend(value.map(|value| (header::LOCATION, value)));
        }
        if !http_body::Body::is_end_stream(response.body()) {
            response.headers_mut().insert(header::CONTENT_TYPE, page.content_type.clone());
        }
        response
    }

    fn content(&self, content: &Content, status: StatusCode) -> Body {
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return whole(Bytes::new());
        }
        match content {
            Content::Status => {
                whole(format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or("")))
            }
            Content::Bytes(bytes) => whole(bytes.clone()),
            Content::Text(text, escape) => {
                let mut bytes = Vec::new();
                text.render_escaped(*escape, self, &mut bytes);
                whole(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &'static str) -> Page {
        let content_type = HeaderValue::from_static("text/plain");
        Page { status: None, location: None, content: Content::Bytes(text.into()), content_type }
    }

    #[test]
    fn each_status_has_the_page_that_was_set_last() {
        let mut pages = Pages::default();
        for (status, text) in [(503, "a"), (404, "b"), (503, "c")] {
            pages.insert(status, page(text));
        }
        let text = |status| match &pages.get(status)?.content {
            Content::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        };
        assert_eq!((text(404), text(503), text(500)), (Some(b"b".to_vec()), Some(b"c".to_vec()), None));
    }
}
