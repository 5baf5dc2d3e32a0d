//! nginx's units: `30s`, `1h 30m`, `500ms`; `768k`, `50m`, `1g`.
//! <https://nginx.org/en/docs/syntax.html>

use std::time::Duration;

/// What to say beside a duration that is none.
pub(super) const DURATION_HELP: &str =
    "write numbers with ms, s, m, h, d or w, largest first: `500ms`, `30s`, `1h 30m`";
/// What to say beside a size that is none.
pub(super) const SIZE_HELP: &str =
    "write a whole number of bytes, or one with k, m or g: `768k`, `50m`, `1g`";

/// Units from large to small, in milliseconds. A month (`M`) has 30 days, a year 365, as in nginx.
const TIME: [(&str, u64); 8] = [
    ("y", 31_536_000_000),
    ("M", 2_592_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration. A number without unit counts seconds; several numbers go from large units
/// to small ones, each unit once.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut allowed = &TIME[..];
    let mut sum = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_at(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at(after, |c| !c.is_ascii_alphabetic());
        let unit = if unit.is_empty() { "s" } else { unit };
        let at = allowed.iter().position(|(name, _)| *name == unit)?;
        sum = number.parse::<u64>().ok()?.checked_mul(allowed[at].1)?.checked_add(sum)?;
        allowed = &allowed[at + 1..];
        rest = after.trim_start();
    }
    Some(Duration::from_millis(sum))
}

/// What to say beside a share that is none.
pub(super) const SHARE_HELP: &str = "write per cent: `5%`, `0.5%`";

/// Reads a share: per cent.
pub(super) fn share(text: &str) -> Option<f64> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    // `parse` alone would take `inf`, `nan` and `1e3`.
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let share: f64 = number.parse().ok().filter(|_| plain)?;
    Some(share / 100.0)
}

/// Reads a size in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_at(text.trim(), |c| !c.is_ascii_digit());
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn split_at(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::{duration, share, size};

    #[test]
    fn durations_are_read_as_nginx_reads_them() {
        let cases = [
            ("30s", 30_000),
            ("500ms", 500),
            ("1m", 60_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("600", 600_000),
            ("1m 30", 90_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("0", 0),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text).map(|d| d.as_millis()), Some(milliseconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", " ", "s", "30sec", "-1s", "1.5s", "30m 1h", "1s 2s", "30 s", "999999999999y", "1s,"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn shares_are_per_cent() {
        assert_eq!(["5%", "0.5 %", "100%"].map(share), [Some(0.05), Some(0.005), Some(1.0)]);
        for text in ["", "%", "5", "0.05", "-1%", "inf%", "nan%", "5%%"] {
            assert_eq!(share(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_nginx_reads_them() {
        assert_eq!(size("768k"), Some(768 * 1024));
        assert_eq!(size("50M"), Some(50 * 1024 * 1024));
        assert_eq!(size("1g"), Some(1 << 30));
        assert_eq!(size("0"), Some(0));
        for text in ["", "k", "50mb", "-1", "1.5g", "1 m", "99999999999999g"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn fuzz_units() {
        let words =
            ["ms", "s", "m", "h", "d", "w", "M", "y", "k", "g", "%", ".", " ", "18446744073709551615"];
        crate::fuzz::fuzz("units", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            if let Some(duration) = duration(text) {
                assert_eq!(super::duration(&format!("{}ms", duration.as_millis())), Some(duration));
            }
            assert!(share(text).is_none_or(|share| share.is_finite() && share >= 0.0));
            if let Some(bytes) = size(text) {
                assert_eq!(size(&bytes.to_string()), Some(bytes));
            }
        });
    }
}
