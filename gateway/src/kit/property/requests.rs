//! Whatever a client may send.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderName, HeaderValue, Method, Uri};

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::Stopped;
use crate::policy::{Ask, Facts};
use crate::simulate::Dice;

pub(super) const REQUESTS: Property =
    Property { name: "requests", expected: "a choice for each, never a trap", examine };

const REQUESTS_MADE: u32 = 3_000;
const EDGES: [u64; 8] = [0, 1, 2, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 53) - 1, u64::MAX];

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries(
        "up to 3,000 strange requests: largest and smallest numbers, long, empty and non-text fields, odd keys and addresses",
    );
    let subject = trial.subject;
    let mut dice = subject.dice("requests");
    let mut made = 0;
    for number in [1, 3, 40] {
        let mut instance = subject.born(Fleet::of(number).candidates())?;
        for request in 0..subject.enough(REQUESTS_MADE / 3, number) {
            let (ask, mut facts) = strange(&mut dice, number);
            let choice = instance.pick(&ask, &mut facts);
            choice.map_err(|fault| Stopped(format!("{fault} (request {request}: {ask:?}, {facts:?})")))?;
            made += 1;
        }
    }
    Ok(Found::Expected(format!("{made} strange requests, a choice for each")))
}

/// Any number, the edges more often than chance would have it.
fn number(dice: &mut Dice) -> u64 {
    if dice.below(3) == 0 { dice.one_of(&EDGES) } else { dice.bits() >> dice.below(64) }
}

fn strange(dice: &mut Dice, candidates: usize) -> (Ask, Facts) {
    // No client decides what was tried, and the gateway never asks when everybody was.
    let tried: Vec<u32> = match dice.below(2) {
        0 => Vec::new(),
        _ => (0..dice.below(candidates) as u32).rev().collect(),
    };
    let ask = Ask {
        key: number(dice),
        attempt: if tried.is_empty() { 0 } else { tried.len() as u32 + dice.below(4) as u32 },
        random: number(dice) as u32,
        now: number(dice).max(1),
        body_length: (dice.below(2) == 0).then(|| number(dice)),
    };
    let mut facts = request::facts(dice.bits(), &tried);
    facts.key = text(dice);
    facts.method = dice.one_of(&["GET", "OPTIONS", "X-RAY"]).parse().unwrap_or(Method::GET);
    facts.target = dice
        .one_of(&["/", "*", "/?", "/%00%ff?a=b&&=", "/a/../b?q=%E2%82%AC"])
        .parse()
        .unwrap_or(Uri::default());
    facts.host = dice.one_of(&[&b""[..], b"a", b"[::1]", b"xn--bcher-kva.example"]).into();
    facts.client = dice.one_of(&[
        None,
        Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        Some([255; 4].into()),
        Some([0; 4].into()),
    ]);
    for name in ["x-backend", "cookie", "user-agent", "authorization"] {
        if let Ok(value) = HeaderValue::from_bytes(&text(dice)) {
            facts.headers.append(HeaderName::from_static(name), value);
        }
    }
    (ask, facts)
}

/// Bytes that are mostly legal in a header field: nothing, one, many, text, no text.
fn text(dice: &mut Dice) -> Vec<u8> {
    let length = dice.one_of(&[0, 1, 7, 8, 63, 64, 1_000, 8_000]);
    let alphabet: &[u8] = dice.one_of(&[&b"a"[..], b"=;, ", b"0123456789", b"\xff\x80\xc3", b"session=;x"]);
    (0..length).map(|_| dice.one_of(alphabet)).collect()
}
