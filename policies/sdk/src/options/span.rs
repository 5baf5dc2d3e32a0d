//! A duration among the options.

use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Units from large to small, in microseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)];

/// A length of time, written as everywhere in the configuration: `"500ms"`, `"30s"`, `"1m 30s"`;
/// a number without unit counts seconds. At most 24 days, so that a `u32` holds its milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u64);

impl Span {
    /// So many milliseconds.
    #[must_use]
    pub const fn milliseconds(count: u64) -> Self {
        Self(count * 1_000)
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(count * 1_000_000)
    }

    /// Its length in microseconds, the unit of all clocks and statistics.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    fn read(text: &str) -> Option<Self> {
        let mut sum = 0u64;
        let mut allowed = &UNITS[..];
        let mut rest = text.trim();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let (number, after) = split(rest, |byte| !byte.is_ascii_digit());
            let (unit, after) = split(after, |byte| !byte.is_ascii_alphabetic());
            let unit = if unit.is_empty() { "s" } else { unit };
            let at = allowed.iter().position(|(name, _)| *name == unit)?;
            sum = number.parse::<u64>().ok()?.checked_mul(allowed[at].1)?.checked_add(sum)?;
            allowed = &allowed[at + 1..];
            rest = after.trim_start();
        }
        Self::within(sum)
    }

    fn within(micros: u64) -> Option<Self> {
        const LONGEST: u64 = (1 << 31) * 1_000;
        (micros < LONGEST).then_some(Self(micros))
    }
}

fn split(text: &str, end: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(end).unwrap_or(text.len()))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reading)
    }
}

struct Reading;

impl Visitor<'_> for Reading {
    type Value = Span;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a duration up to 24 days, as \"500ms\", \"30s\" or \"1m 30s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        Span::read(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Span, E> {
        let span = seconds.checked_mul(1_000_000).and_then(Span::within);
        span.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(seconds), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::Span;
    use crate::options::parse;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Options {
        tau: Span,
    }

    #[test]
    fn a_duration_is_written_as_elsewhere_in_the_configuration() {
        for (json, micros) in [
            (r#"{"tau":"500ms"}"#, 500_000),
            (r#"{"tau":"30s"}"#, 30_000_000),
            (r#"{"tau":"1m 30s"}"#, 90_000_000),
            (r#"{"tau":"1h30m"}"#, 5_400_000_000),
            (r#"{"tau":"2d"}"#, 172_800_000_000),
            (r#"{"tau":"0"}"#, 0),
            (r#"{"tau":7}"#, 7_000_000),
        ] {
            assert_eq!(parse::<Options>(json).map(|options| options.tau.micros()), Ok(micros), "{json}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_key() {
        for (json, found) in [
            (r#"{"tau":"soon"}"#, r#""soon""#),
            (r#"{"tau":""}"#, r#""""#),
            (r#"{"tau":"1.5s"}"#, r#""1.5s""#),
            (r#"{"tau":"30s 1m"}"#, r#""30s 1m""#),
            (r#"{"tau":"-1s"}"#, r#""-1s""#),
            (r#"{"tau":"25d"}"#, r#""25d""#),
            (r#"{"tau":18446744073709551615}"#, "18446744073709551615"),
            (r#"{"tau":true}"#, "true"),
            (r#"{"tau":[]}"#, "a list"),
        ] {
            let expected = format!(
                "tau: expected a duration up to 24 days, as \"500ms\", \"30s\" or \"1m 30s\", found {found}"
            );
            assert_eq!(parse::<Options>(json), Err(expected), "{json}");
        }
    }
}
