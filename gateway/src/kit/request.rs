//! Made-up requests: visitors who come back with the same key, address and cookie.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderValue, Uri, header};

use crate::policy::{Ask, Facts};

/// The pick of a visitor's request. A visitor always has the same key; chance and time differ.
pub(super) fn ask(visitor: u64, attempt: usize, random: u64, now: u64) -> Ask {
    Ask {
        key: xxhash_rust::xxh3::xxh3_64(key(visitor).as_bytes()) >> 11,
        attempt: attempt as u32,
        random: (random >> 33) as u32,
        now,
        body_length: visitor.is_multiple_of(3).then_some(visitor % 100_000),
    }
}

/// What the gateway knows of the request.
pub(super) fn facts(visitor: u64, tried: &[u32]) -> Facts {
    let spread = visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let mut facts = Facts {
        target: Uri::try_from(key(visitor)).unwrap_or_default(),
        host: b"test.invalid"[..].into(),
        body_length: visitor.is_multiple_of(3).then_some(visitor % 100_000),
        // `ip_hash` looks at the first three bytes of an address.
        client: Some(IpAddr::V4(Ipv4Addr::new(spread[0], spread[1], spread[2], spread[3]))),
        key: key(visitor).into_bytes(),
        tried: tried.into(),
        ..Facts::default()
    };
    facts.headers.insert(header::HOST, HeaderValue::from_static("test.invalid"));
    if let Ok(cookie) = HeaderValue::try_from(format!("session={visitor}")) {
        facts.headers.insert(header::COOKIE, cookie);
    }
    facts
}

fn key(visitor: u64) -> String {
    format!("/visitor/{visitor}?page=1")
}
