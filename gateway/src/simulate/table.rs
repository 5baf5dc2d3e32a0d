//! A comparison as a table for people.

use std::fmt::Write;

use super::score::{Comparison, Outcome};

/// Title of a column, and what stands in it.
type Column = (&'static str, fn(&Outcome) -> String);

const COLUMNS: [Column; 9] = [
    ("policy", |o| o.policy.clone()),
    ("p50 ms", |o| millis(o.p50_ms)),
    ("p90 ms", |o| millis(o.p90_ms)),
    ("p99 ms", |o| millis(o.p99_ms)),
    ("p99.9 ms", |o| millis(o.p999_ms)),
    ("errors", |o| percent(o.errors)),
    ("imbalance", |o| format!("{:.2}", o.imbalance)),
    ("moved keys", |o| percent(o.moved)),
    ("faults", |o| o.faults.to_string()),
];

/// The policies of a comparison side by side. The same for the same seed.
#[must_use]
pub fn table(comparison: &Comparison) -> String {
    let rows: Vec<Vec<String>> =
        std::iter::once(COLUMNS.iter().map(|(title, _)| (*title).to_owned()).collect())
            .chain(comparison.outcomes.iter().map(|o| COLUMNS.iter().map(|(_, show)| show(o)).collect()))
            .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = format!("{}: {}\n\n", comparison.scenario, comparison.about);
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = match column {
                0 => write!(line, "{cell:width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for outcome in &comparison.outcomes {
        if let Some(fault) = &outcome.last_fault {
            let _ = writeln!(text, "\n{}: {fault}", outcome.policy);
        }
    }
    text
}

/// Milliseconds with as many digits as matter.
pub(super) fn millis(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        medium if medium < 100.0 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

/// A share in per cent, with as many digits as matter.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        tiny if tiny < 0.1 => format!("{tiny:.3} %"),
        small if small < 10.0 => format!("{small:.2} %"),
        large => format!("{large:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_matter() {
        assert_eq!([0.5, 41.26, 1234.5].map(millis), ["0.50", "41.3", "1234"]);
        assert_eq!([0.0, 0.000_06, 0.047, 0.5].map(percent), ["0 %", "0.006 %", "4.70 %", "50.0 %"]);
    }
}
