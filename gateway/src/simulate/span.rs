//! Simulated time as scenarios write it.

use serde::de::{Deserialize, Deserializer, Error};

/// Units and their nanoseconds.
const UNITS: [(&str, f64); 6] =
    [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9)];

/// A span of simulated time, nanoseconds. Written as one number with its unit: `250us`, `1.5s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub u64);

impl Span {
    pub(super) const fn millis(number: u64) -> Self {
        Self(number * 1_000_000)
    }

    pub(super) fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
        let number: f64 = text[..unit].trim().parse().ok()?;
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == &text[unit..])?;
        let span = number * nanos;
        // A run of a year is long enough, and leaves room for sums.
        (0.0..=31_536_000e9).contains(&span).then_some(Self(span as u64))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is not a span of time: write `250us`, `20ms`, `1.5s` or `2m`"))
        })
    }
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// This long after its beginning.
    At(Span),
    /// After this share of its expected length, `33%`.
    Share(f64),
}

impl Moment {
    /// Nanoseconds after the beginning of a run of this length.
    pub(super) fn within(self, length: u64) -> u64 {
        match self {
            Self::At(span) => span.0,
            Self::Share(share) => (length as f64 * share) as u64,
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let share = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match share.filter(|share| (0.0..=100.0).contains(share)) {
            Some(share) => Ok(Self::Share(share / 100.0)),
            None => Span::read(&text).map(Self::At).ok_or_else(|| {
                D::Error::custom(format!(
                    "`{text}` is not a moment: write `20s`, or a share of the run: `33%`"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn spans_are_one_number_with_a_unit() {
        let cases =
            [("250us", 250_000), ("20ms", 20_000_000), ("1.5s", 1_500_000_000), ("2 m", 120_000_000_000)];
        for (text, nanos) in cases {
            assert_eq!(Span::read(text), Some(Span(nanos)), "{text}");
        }
        for text in ["", "20", "ms", "-1s", "1d", "1e30s", "1s 2s"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
    }

    #[test]
    fn fuzz_span() {
        let words = ["ns", "us", "ms", "s", "m", "h", ".", "e", "-", "inf", "nan", "%", " "];
        crate::fuzz::fuzz("span", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            assert!(Span::read(text).is_none_or(|span| span.0 <= 31_536_000_000_000_000));
        });
    }
}
