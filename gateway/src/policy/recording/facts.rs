//! What may be asked about a request, in a file.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};

use super::{decoded, encoded};
use crate::policy::Facts;

/// The facts of a recorded request.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Inquiry {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The host asked for.
    #[serde(default)]
    pub host: Content,
    /// Its header fields, if they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Content)>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// What it is hashed by.
    #[serde(default)]
    pub key: Content,
    /// Candidates that had been tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<u32>,
}

/// Bytes that nearly always are text.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Content {
    /// They are.
    Text(String),
    /// They are not.
    Binary {
        /// They in Base64.
        base64: String,
    },
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary { base64: encoded(bytes) },
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Binary { base64 } => decoded(base64).unwrap_or_default(),
        }
    }
}

impl Inquiry {
    /// Writes facts down, with or without the header fields.
    pub(super) fn of(facts: &Facts, with_headers: bool) -> Self {
        let fields = facts.headers.iter().filter(|_| with_headers);
        Self {
            method: facts.method.to_string(),
            target: facts.target.to_string(),
            host: Content::of(&facts.host),
            headers: fields.map(|(name, value)| (name.to_string(), Content::of(value.as_bytes()))).collect(),
            client: facts.client,
            key: Content::of(&facts.key),
            tried: facts.tried.to_vec(),
        }
    }

    /// The same facts again.
    #[must_use]
    pub fn facts(&self, body_length: Option<u64>) -> Facts {
        Facts {
            method: Method::from_bytes(self.method.as_bytes()).unwrap_or_default(),
            target: self.target.parse().unwrap_or_default(),
            host: self.host.bytes().into(),
            headers: self.fields(),
            body_length,
            client: self.client,
            key: self.key.bytes(),
            tried: self.tried.as_slice().into(),
        }
    }

    fn fields(&self) -> HeaderMap {
        let parsed = |(name, value): &(String, Content)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(&value.bytes()).ok()?))
        };
        let mut fields = HeaderMap::new();
        for (name, value) in self.headers.iter().filter_map(parsed) {
            fields.append(name, value);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_as_they_were() {
        let mut facts = Facts { target: "/a?b=1".parse().unwrap(), ..Facts::default() };
        facts.headers.append("cookie", HeaderValue::from_static("a=1"));
        facts.headers.append("cookie", HeaderValue::from_bytes(&[0xff, b'x']).unwrap());
        facts.key.extend_from_slice(&[0, 0xfe]);
        facts.tried.push(3);
        let line = serde_json::to_string(&Inquiry::of(&facts, true)).unwrap();
        let again = serde_json::from_str::<Inquiry>(&line).unwrap().facts(None);
        assert_eq!(format!("{again:?}"), format!("{facts:?}"));
        assert!(Inquiry::of(&facts, false).headers.is_empty());
    }
}
