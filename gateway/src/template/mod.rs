//! Text with variables: `"$remote_addr - $request"`.
//!
//! A stand-in with the interface of the real room, until that is merged.

use std::fmt;
use std::ops::Range;

/// A text with variables, checked.
#[derive(Clone, Debug)]
pub struct Template {
    text: Box<str>,
}

/// A variable that does not exist.
#[derive(Clone, Debug)]
pub struct TemplateError {
    span: Range<usize>,
    message: String,
}

const NAMES: &[&str] = &[
    "remote_addr", "remote_port", "remote_user", "time_local", "request", "request_uri", "status",
    "body_bytes_sent", "host", "scheme", "upstream_addr", "proxy_add_x_forwarded_for", "uri",
    "http_referer", "http_user_agent", "http_x_forwarded_for", "request_method", "args",
    "upstream_response_time", "request_time", "upstream_status",
];

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// The first variable that does not exist.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut at = 0;
        while let Some(found) = text[at..].find('$') {
            let start = at + found;
            let rest = &text[start + 1..];
            let braces = usize::from(rest.starts_with('{'));
            let rest = &rest[braces..];
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let name = &rest[..length];
            let end = (start + 1 + braces + length + braces).min(text.len());
            let known = NAMES.contains(&name) || ["http_", "arg_", "cookie_"].iter().any(|p| name.starts_with(p));
            if !known {
                return Err(TemplateError { span: start..end, message: format!("there is no variable `${name}`") });
            }
            at = end;
        }
        Ok(Self { text: text.into() })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TemplateError {
    /// The bytes of the text that are wrong.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}
