//! Medians over the rounds, as Markdown.

use std::fmt::{self, Write};

use super::load::Seen;
use super::proxy::Proxy;
use super::scenario::Scenario;

/// One proxy in one round of one scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// CPU time per request in the program, microseconds.
    pub(super) user: f64,
    /// CPU time per request in the kernel, microseconds.
    pub(super) system: f64,
    /// What the clients saw.
    pub(super) seen: Seen,
}

impl Round {
    /// CPU time per request, microseconds.
    pub(super) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// What one proxy did in one scenario, round after round.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) scenario: Scenario,
    pub(super) proxy: Proxy,
    pub(super) rounds: Vec<Round>,
}

/// Two tables: absolute medians, and medians of the ratios to nginx in the same round.
pub(super) fn write(columns: &[Column]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    absolute(&mut text, columns)?;
    if columns.iter().any(|column| column.proxy == Proxy::Nginx) {
        text.push('\n');
        relative(&mut text, columns)?;
    }
    Ok(text)
}

fn absolute(out: &mut String, columns: &[Column]) -> fmt::Result {
    writeln!(
        out,
        "| scenario | proxy | CPU µs/request (user + system) | requests/s | p50 ms | p99 ms | p99.9 ms | errors |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for column in columns {
        let of = |number: fn(&Round) -> f64| median(column.rounds.iter().map(number).collect());
        let [cpu, user, system] = [of(Round::cpu), of(|round| round.user), of(|round| round.system)];
        let [p50, p99, p999] =
            [of(|r| r.seen.latency[0]), of(|r| r.seen.latency[1]), of(|r| r.seen.latency[2])];
        let errors: u64 = column.rounds.iter().map(|round| round.seen.errors).sum();
        writeln!(
            out,
            "| {} | {} | {cpu:.1} ({user:.1} + {system:.1}) | {:.0} | {p50:.2} | {p99:.2} | {p999:.2} | {errors} |",
            column.scenario,
            column.proxy,
            of(|round| round.seen.rate),
        )?;
    }
    Ok(())
}

fn relative(out: &mut String, columns: &[Column]) -> fmt::Result {
    writeln!(out, "| to nginx | proxy | CPU/request (quartiles) | requests/s | p50 | p99 | p99.9 |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for column in columns.iter().filter(|column| column.proxy != Proxy::Nginx) {
        let same = |other: &&Column| other.scenario == column.scenario && other.proxy == Proxy::Nginx;
        let Some(nginx) = columns.iter().find(same) else {
            continue;
        };
        let ratios = |number: fn(&Round) -> f64| -> Vec<f64> {
            column.rounds.iter().zip(&nginx.rounds).map(|(own, nginx)| number(own) / number(nginx)).collect()
        };
        let [low, cpu, high] = [0.25, 0.5, 0.75].map(|share| quantile(ratios(Round::cpu), share));
        let [p50, p99, p999] = [
            median(ratios(|round| round.seen.latency[0])),
            median(ratios(|round| round.seen.latency[1])),
            median(ratios(|round| round.seen.latency[2])),
        ];
        let rate = median(ratios(|round| round.seen.rate));
        writeln!(
            out,
            "| {} | {} | {cpu:.2} ({low:.2} to {high:.2}) | {rate:.2} | {p50:.2} | {p99:.2} | {p999:.2} |",
            column.scenario, column.proxy,
        )?;
    }
    Ok(())
}

fn median(numbers: Vec<f64>) -> f64 {
    quantile(numbers, 0.5)
}

/// The value that `share` of the numbers stay below, drawn straight between the two nearest ones. Not a number
/// for no numbers.
fn quantile(mut numbers: Vec<f64>, share: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let place = share * numbers.len().saturating_sub(1) as f64;
    let below = place.floor() as usize;
    match (numbers.get(below), numbers.get(below + 1)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        (Some(only), None) => *only,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cpu: f64) -> Round {
        let seen = Seen { requests: 1.0, rate: 1000.0, bytes: 1.0, errors: 0, latency: [1.0, 2.0, 3.0] };
        Round { user: cpu / 4.0, system: cpu * 3.0 / 4.0, seen }
    }

    fn column(proxy: Proxy, cpu: &[f64]) -> Column {
        Column { scenario: Scenario::Small, proxy, rounds: cpu.iter().copied().map(round).collect() }
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(vec![1.0, 2.0, 3.0, 4.0, 5.0], 0.25), 2.0);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // Given a machine that is three times slower in the last round, for both.
        let columns =
            [column(Proxy::Nginx, &[10.0, 10.0, 30.0]), column(Proxy::Haproxy, &[12.0, 12.0, 36.0])];
        // When the table is written, then the slow round does not show.
        let text = write(&columns).expect("a table");
        assert!(
            text.contains("| small | haproxy | 12.0 (3.0 + 9.0) | 1000 | 1.00 | 2.00 | 3.00 | 0 |"),
            "{text}"
        );
        assert!(
            text.contains("| small | haproxy | 1.20 (1.20 to 1.20) | 1.00 | 1.00 | 1.00 | 1.00 |"),
            "{text}"
        );
    }

    #[test]
    fn without_nginx_there_are_no_ratios() {
        let text = write(&[column(Proxy::Pointsman, &[9.0])]).expect("a table");
        assert!(!text.contains("to nginx"), "{text}");
    }
}
