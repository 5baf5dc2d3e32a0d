//! How sessions stay at a backend, from the words of the configuration.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::model;
use crate::forward::{Inserted, Learnt, Source, Sticky};
use crate::upstream::{Backend, Memory, Sessions};

/// Bytes of a signed id: enough that nobody guesses one.
const SIGNED: usize = 18;

/// None if the cookie would not be a legal field, which the configuration has seen to.
pub(super) fn sticky(
    configured: &model::Sticky,
    upstream: &str,
    backends: &[Arc<Backend>],
    sessions: &Arc<Sessions>,
) -> Option<Sticky> {
    let learnt = |source| {
        let memory = Memory { sessions: configured.sessions, timeout: configured.timeout };
        Some(Sticky::Learnt(Learnt { source, sessions: Arc::clone(sessions), memory }))
    };
    match &configured.by {
        model::StickyBy::Cookie { name, secret } => {
            let text = |backend: &str| format!("{upstream}\n{backend}");
            let id = |backend: &str| match secret {
                None => format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text(backend).as_bytes())),
                Some(secret) => signed(secret, &text(backend)),
            };
            let attributes = attributes(configured);
            Inserted::new(name, &attributes, backends, id).map(Sticky::Inserted)
        }
        model::StickyBy::LearntCookie(name) => learnt(Source::Cookie(name.clone())),
        model::StickyBy::LearntHeader(name) => learnt(Source::Header(name.clone())),
    }
}

/// An id that only who knows the secret can make (HMAC-SHA-256, RFC 2104).
fn signed(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(&hmac::sign(&key, text.as_bytes()).as_ref()[..SIGNED])
}

/// What follows the value in `Set-Cookie` (RFC 6265 section 4.1).
fn attributes(configured: &model::Sticky) -> String {
    let mut text = format!("; Path={}", configured.path);
    if let Some(domain) = &configured.domain {
        text += &format!("; Domain={domain}");
    }
    if let Some(max_age) = configured.max_age {
        text += &format!("; Max-Age={}", max_age.as_secs());
    }
    for (flag, name) in [(configured.http_only, "; HttpOnly"), (configured.secure, "; Secure")] {
        text += if flag { name } else { "" };
    }
    text += match configured.same_site {
        model::SameSite::Lax => "; SameSite=Lax",
        model::SameSite::Strict => "; SameSite=Strict",
        model::SameSite::None => "; SameSite=None",
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_id_depends_on_the_secret_and_on_what_is_signed() {
        assert_eq!(signed("s", "api\na:80"), signed("s", "api\na:80"));
        assert_ne!(signed("s", "api\na:80"), signed("t", "api\na:80"));
        assert_ne!(signed("s", "api\na:80"), signed("s", "api\nb:80"));
        // RFC 4231, test case 2, begins with 5bdcc146bf60754e6a042426089575c7 5a00.
        assert_eq!(signed("Jefe", "what do ya want for nothing?"), "W9zBRr9gdU5qBCQmCJV1x1oA");
    }
}
