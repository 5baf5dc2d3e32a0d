//! Sessions that stay at a backend.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::pick::{Chosen, Mercy, Who};
use super::story::Story;
use super::values::cookie;
use crate::upstream::{Backend, Memory, Sessions};

/// How an upstream knows which backend a session belongs to.
#[derive(Debug)]
pub enum Sticky {
    /// By a cookie of the gateway's own (nginx `sticky cookie`).
    Inserted(Inserted),
    /// By a cookie or another field of the application's (nginx `sticky learn`).
    Learnt(Learnt),
}

/// A cookie that the gateway sets. What it can say is known from the start, a value for each
/// backend, so reading it is a look-up, and a forged value is one that is not there.
#[derive(Debug)]
pub struct Inserted {
    name: Box<str>,
    places: HashMap<Box<[u8]>, usize>,
    /// `Set-Cookie` for each backend, by place.
    set: Box<[HeaderValue]>,
}

/// A name that the application gives to a session.
#[derive(Debug)]
pub struct Learnt {
    /// Where the name stands.
    pub source: Source,
    /// What was learnt.
    pub sessions: Arc<Sessions>,
    /// How much, and for how long.
    pub memory: Memory,
}

/// Where the name of a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a cookie that backends set.
    Cookie(Box<str>),
    /// In a field that requests have, or that answers have first.
    Header(HeaderName),
}

impl Inserted {
    /// A cookie of this name. `id` makes the value for a backend out of its name, `attributes` is
    /// what follows the value: `; Path=/`. None if that makes no legal field.
    #[must_use]
    pub fn new(
        name: &str,
        attributes: &str,
        backends: &[Arc<Backend>],
        id: impl Fn(&str) -> String,
    ) -> Option<Self> {
        let (mut places, mut set) = (HashMap::new(), Vec::new());
        for (place, backend) in backends.iter().enumerate() {
            let id = id(&backend.name);
            let mut text = String::new();
            write!(text, "{name}={id}{attributes}").ok()?;
            set.push(HeaderValue::from_str(&text).ok()?);
            places.insert(id.into_bytes().into(), place);
        }
        Some(Self { name: name.into(), places, set: set.into() })
    }
}

impl Learnt {
    /// The name in a request, as a key; none if it has none.
    fn key_of_request(&self, headers: &HeaderMap) -> Option<u128> {
        match &self.source {
            Source::Cookie(name) => key(cookie(headers, name)),
            Source::Header(name) => key(headers.get(name)?.as_bytes()),
        }
    }

    /// The name that an answer gives to a session.
    fn key_of_answer(&self, headers: &HeaderMap) -> Option<u128> {
        match &self.source {
            Source::Cookie(name) => headers.get_all(header::SET_COOKIE).iter().find_map(|field| {
                let value = field.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                key(value.split(|byte| *byte == b';').next()?)
            }),
            Source::Header(name) => key(headers.get(name)?.as_bytes()),
        }
    }
}

/// Browsers bring a name back without the blanks around it (RFC 6265 section 5.2).
fn key(name: &[u8]) -> Option<u128> {
    let name = name.trim_ascii();
    (!name.is_empty()).then(|| xxhash_rust::xxh3::xxh3_128(name))
}

impl Story {
    /// The backend of the request's session, if it has one that can be had: it must be well, but
    /// may be drained.
    pub(super) fn resume(&mut self, sticky: &Sticky, now: u64) -> Option<Chosen> {
        let backends = &self.upstream().backends;
        let place = match sticky {
            Sticky::Inserted(inserted) => {
                inserted.places.get(cookie(&self.facts.headers, &inserted.name)).copied()
            }
            Sticky::Learnt(learnt) => {
                let key = learnt.key_of_request(&self.facts.headers)?;
                let slot = learnt.sessions.find(key, learnt.memory, now)?;
                backends.iter().position(|backend| backend.slot == slot)
            }
        }?;
        if backends[place].down {
            return None;
        }
        self.session = Some(place);
        self.claim(Who { backend: place, candidate: None }, now, Mercy::Drained).ok()
    }

    /// Ties the session to the backend that has answered.
    pub(super) fn stick(&self, place: usize, headers: &mut HeaderMap, now: u64) {
        let upstream = self.upstream();
        match &upstream.sticky {
            Some(Sticky::Inserted(inserted)) if self.session != Some(place) => {
                headers.append(header::SET_COOKIE, inserted.set[place].clone());
            }
            Some(Sticky::Learnt(learnt)) => {
                let given = learnt.key_of_answer(headers);
                let moved = || match &learnt.source {
                    _ if self.session == Some(place) => None,
                    // Whose session a backend did not begin, it has taken over.
                    Source::Cookie(_) => self.session.and(learnt.key_of_request(&self.facts.headers)),
                    Source::Header(_) => learnt.key_of_request(&self.facts.headers),
                };
                if let Some(key) = given.or_else(moved) {
                    learnt.sessions.learn(key, upstream.backends[place].slot, learnt.memory, now);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fuzz_sticky_cookie() {
        let learnt = Learnt {
            source: Source::Cookie("sid".into()),
            sessions: Arc::default(),
            memory: Memory { sessions: 1, timeout: Duration::MAX },
        };
        let words = ["sid=", "sid", "=", ";", "; ", ",", " ", "Path=/", "\""];
        crate::fuzz::fuzz("sticky_cookie", &words, |input| {
            let Ok(value) = HeaderValue::from_bytes(input) else { return };
            let headers = |name| HeaderMap::from_iter([(name, value.clone())]);
            let asked = headers(header::COOKIE);
            let name = cookie(&asked, "sid");
            assert!(
                !name.contains(&b';') && (name.is_empty() || memchr::memmem::find(input, b"sid=").is_some())
            );
            assert_eq!(learnt.key_of_request(&asked).is_some(), !name.trim_ascii().is_empty());
            // A name that a backend gives is known again when the client brings it back.
            let Some(given) = learnt.key_of_answer(&headers(header::SET_COOKIE)) else { return };
            assert_eq!(learnt.key_of_request(&asked), Some(given));
        });
    }
}
