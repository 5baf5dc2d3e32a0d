//! What a policy costs.

use std::time::{Duration, Instant};

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};

pub(super) const COST: Property = Property {
    name: "cost",
    expected: "up to 1,000 candidates a pick takes less than a quarter of its deadline, a birth less than half of its own",
    examine,
};

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const PICKS: u32 = 20_000;
/// Picks that are timed together: reading the clock costs as much as a quick pick.
const TOGETHER: u32 = 16;

/// What it costs with so many candidates.
struct Row {
    candidates: usize,
    birth: Duration,
    /// Median.
    pick: Duration,
    /// Of 99 in 100 batches.
    tail: Duration,
    memory: usize,
}

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries("births, and up to 20,000 picks each, with 10, 1,000 and 10,000 candidates");
    let subject = trial.subject;
    let rows = SIZES.map(|number| measure(subject, number));
    let mut told = Vec::new();
    let mut slow = None;
    for row in rows {
        let row = row?;
        let usual = row.candidates <= 1_000;
        if usual && (row.pick > subject.wishes.limits.pick / 4 || row.birth > subject.wishes.limits.init / 2)
        {
            slow.get_or_insert(row.candidates);
        }
        let Row { candidates, birth, pick, tail, memory } = row;
        told.push(format!(
            "{candidates:>6} candidates: {} a pick (p99 {}), {} to be born, {} KiB",
            span(pick),
            span(tail),
            span(birth),
            memory >> 10
        ));
    }
    let told = told.join("\n");
    Ok(match slow {
        None => Found::Expected(told),
        Some(candidates) => Found::Otherwise(format!("{told}\ntoo slow with {candidates} candidates")),
    })
}

fn measure(subject: &Subject, candidates: usize) -> Result<Row, Stopped> {
    let fleet = Fleet::of(candidates);
    let mut births = Vec::new();
    for _ in 0..3 {
        let list = fleet.candidates();
        let began = Instant::now();
        subject.born(list)?;
        births.push(began.elapsed());
    }
    let mut instance = subject.born(fleet.candidates())?;
    let mut facts = request::facts(1, &[]);
    let mut batches = Vec::new();
    let picks = subject.enough(PICKS, candidates).max(TOGETHER);
    for batch in 0..picks / TOGETHER {
        let asks: [_; TOGETHER as usize] = std::array::from_fn(|n| {
            let visitor = u64::from(batch * TOGETHER) + n as u64;
            request::ask(visitor, 0, visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1_000_000 + visitor)
        });
        let began = Instant::now();
        for ask in &asks {
            instance.pick(ask, &mut facts)?;
        }
        batches.push(began.elapsed() / TOGETHER);
    }
    births.sort_unstable();
    batches.sort_unstable();
    Ok(Row {
        candidates,
        birth: births[births.len() / 2],
        pick: batches[batches.len() / 2],
        tail: batches[batches.len() * 99 / 100],
        memory: instance.memory(),
    })
}

/// Three digits, whatever the size.
fn span(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let (value, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let decimals = if value >= 100.0 || unit == "ns" {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_digits_and_a_unit() {
        assert_eq!(span(Duration::from_nanos(237)), "237 ns");
        assert_eq!(span(Duration::from_nanos(8_440)), "8.44 µs");
        assert_eq!(span(Duration::from_micros(12_345)), "12.3 ms");
        assert_eq!(span(Duration::from_secs(2)), "2.00 s");
    }
}
