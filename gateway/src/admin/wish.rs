//! What a command wants, written behind the `?` of its path.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Most requests of one recording.
const MOST_REQUESTS: u64 = 1_000_000;
/// The longest that a command may wait for requests to come, seconds.
const LONGEST: u64 = 3_600;

/// What is to be recorded, or explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The upstream; none: the only one.
    pub upstream: Option<String>,
    /// Number of requests.
    pub requests: u64,
    /// How long to wait for them.
    pub patience: Duration,
    /// Are header fields to be kept, whatever the policy reads?
    pub headers: bool,
}

impl Default for Wish {
    /// A thousand requests within a minute.
    fn default() -> Self {
        Self { upstream: None, requests: 1_000, patience: Duration::from_secs(60), headers: false }
    }
}

impl Wish {
    /// As it stands behind the `?`.
    #[must_use]
    pub fn query(&self) -> String {
        let Self { upstream, requests, patience, headers } = self;
        let upstream = upstream.iter().map(|name| format!("&upstream={}", escaped(name)));
        let upstream: String = upstream.collect();
        format!("requests={requests}&seconds={}&headers={headers}{upstream}", patience.as_secs())
    }

    /// Reads what stands behind the `?`.
    ///
    /// # Errors
    /// Which part cannot be meant.
    pub(super) fn read(query: &str) -> Result<Self, String> {
        let mut wish = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            let number = |most: u64| match value.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(format!("`{name}` is a number from 1 to {most}, not `{value}`")),
            };
            match name {
                "upstream" => wish.upstream = Some(value.into_owned()),
                "requests" => wish.requests = number(MOST_REQUESTS)?,
                "seconds" => wish.patience = Duration::from_secs(number(LONGEST)?),
                "headers" => wish.headers = value == "true",
                _ => {
                    return Err(format!(
                        "`{name}` is not known here; there are upstream, requests, seconds, headers"
                    ));
                }
            }
        }
        Ok(wish)
    }
}

/// A text as it may stand in a query.
#[must_use]
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_as_it_was_written() {
        let wish = Wish { upstream: Some("a&b=c".into()), requests: 7, headers: true, ..Wish::default() };
        assert_eq!(Wish::read(&wish.query()), Ok(wish));
        assert_eq!(Wish::read(""), Ok(Wish::default()));
    }

    #[test]
    fn what_cannot_be_wished_is_named() {
        assert!(Wish::read("requests=0").unwrap_err().contains("`requests` is a number from 1 to 1000000"));
        assert!(Wish::read("request=5").unwrap_err().contains("`request` is not known"));
    }

    #[test]
    fn fuzz_wish() {
        let words = ["upstream=", "requests=", "seconds=", "headers=true", "&", "%26", "%ff", "1000000"];
        crate::fuzz::fuzz("wish", &words, |input| {
            let Ok(query) = std::str::from_utf8(input) else { return };
            let Ok(wish) = Wish::read(query) else { return };
            assert_eq!(Wish::read(&wish.query()), Ok(wish));
        });
    }
}
