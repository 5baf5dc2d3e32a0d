//! `Accept-Encoding` (RFC 9110 section 12.5.3).

use super::Coding;

/// The weight of a coding, 0 to 1000.
type Weight = u16;

/// The coding that a client with this `Accept-Encoding` likes best, or of those that it likes
/// best alike, the first of `ours`. None when it wants none, or none of ours.
pub fn choose<'a>(fields: impl Iterator<Item = &'a str>, ours: &[Coding]) -> Option<Coding> {
    let mut wanted = Wanted::default();
    for item in fields.flat_map(|field| field.split(',')) {
        wanted.note(item);
    }
    let weights = ours.iter().map(|coding| (*coding, wanted.of(*coding)));
    // `max_by_key` takes the last of equals.
    let (coding, weight) = weights.rev().max_by_key(|(_, weight)| *weight)?;
    (weight > 0 && weight >= wanted.identity.unwrap_or(0)).then_some(coding)
}

#[derive(Default)]
struct Wanted {
    codings: [Option<Weight>; Coding::ALL.len()],
    identity: Option<Weight>,
    others: Option<Weight>,
}

impl Wanted {
    fn note(&mut self, item: &str) {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = match parts.find_map(|part| part.strip_prefix(['q', 'Q'])) {
            None => 1000,
            Some(value) => value.trim_start().strip_prefix('=').and_then(weight).unwrap_or(0),
        };
        if name == "*" {
            self.others = Some(weight);
        } else if name.eq_ignore_ascii_case("identity") {
            self.identity = Some(weight);
        } else if let Some(coding) = Coding::named(name) {
            self.codings[coding as usize] = Some(weight);
        }
    }

    fn of(&self, coding: Coding) -> Weight {
        self.codings[coding as usize].or(self.others).unwrap_or(0)
    }
}

/// `0.5` as 500: at most one digit before the point and three after it.
fn weight(text: &str) -> Option<Weight> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 3 || !digits(part) || !matches!(whole, "0" | "1") {
        return None;
    }
    let thousandths: Weight = format!("{part:0<3}").parse().ok()?;
    let whole: Weight = whole.parse().ok()?;
    Some((whole * 1000 + thousandths).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Coding::{Brotli, Gzip, Zstd};

    fn chosen(accept: &str) -> Option<Coding> {
        choose([accept].into_iter(), &[Zstd, Brotli, Gzip])
    }

    #[test]
    fn the_clients_weights_come_first_and_our_order_after_them() {
        assert_eq!(chosen("gzip, deflate, br, zstd"), Some(Zstd));
        assert_eq!(chosen("gzip, br;q=0.9"), Some(Gzip));
        assert_eq!(chosen("gzip;q=0.5, br;q=0.501"), Some(Brotli));
        assert_eq!(choose(["gzip", "br"].into_iter(), &[Gzip, Brotli]), Some(Gzip));
    }

    #[test]
    fn what_is_not_wanted_is_not_chosen() {
        for accept in
            ["", "deflate", "gzip;q=0", "gzip; q=0.000", "identity", "*;q=0", "gzip;q=x", "gzip;q=2"]
        {
            assert_eq!(chosen(accept), None, "{accept}");
        }
        assert_eq!(chosen("gzip;q=0.2, identity;q=0.5"), None, "uncompressed is liked better");
    }

    #[test]
    fn a_star_stands_for_what_is_not_named() {
        assert_eq!(chosen("*"), Some(Zstd));
        assert_eq!(chosen("zstd;q=0, *;q=0.1"), Some(Brotli));
        assert_eq!(chosen("X-GZIP"), Some(Gzip), "RFC 9110 section 8.4.1.3");
    }

    #[test]
    fn fuzz_accept_encoding() {
        let words = ["gzip", "br", "zstd", "identity", "*", ";q=", "0.5", "1", "0", ",", " ", "q"];
        let ours = [Zstd, Brotli, Gzip];
        crate::fuzz::fuzz("accept_encoding", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            if let Some(coding) = choose([text].into_iter(), &ours) {
                assert!(text.contains('*') || text.to_lowercase().contains(coding.name()), "{text:?}");
            }
        });
    }
}
