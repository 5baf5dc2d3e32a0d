//! The table: a row for each policy, two lines high.

use std::time::Duration;

use super::SHOWN;
use super::backends::{COUNT, KINDS, Kind};
use super::screen::{Look, Screen};
use super::tally::{Answers, Reading};

/// Cells of the bar that shows the shares.
const BAR: usize = 30;
/// Each backend's colour, and its sign where there are no colours.
const SIGNS: [(Look, &str); COUNT] = [(Look::Fast, "█"), (Look::Middle, "▓"), (Look::Slow, "░")];

/// What came of a policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Its name.
    pub(super) policy: &'static str,
    /// What the load has seen; failures of this row only.
    pub(super) reading: Reading,
    /// Mean time of a pick, nanoseconds; none while none was timed.
    pub(super) pick: Option<u64>,
}

/// What a policy does, in a few words.
fn idea(policy: &str) -> &'static str {
    match policy {
        "round_robin" => "each in turn, however long the line",
        "least_conn" => "who has the fewest requests now",
        "random" => "a throw of dice",
        "ip_hash" => "a client keeps its backend",
        "hash" => "a page keeps its backend",
        "peak_ewma" => "two dice, the shorter wait by peaks",
        "adaptive" => "the shortest wait, hot ones apart",
        "fair" => "who will be done first, as measured",
        _ => "",
    }
}

/// The head, two lines.
pub(super) fn head(screen: &Screen) -> Vec<String> {
    let title = |(kind, (look, sign)): (Kind, (Look, &str))| {
        let title = format!("{sign} {}: {} ms x {}", kind.name, kind.time, kind.slots);
        screen.paint(look, &format!("{title:<21}"))
    };
    let titles: String = KINDS.into_iter().zip(SIGNS).map(title).collect();
    let columns = "share   p50    p99   ".repeat(COUNT);
    let columns = format!("{:<12}{:>7} {:>7}   {columns}{:>7}", "policy", "req/s", "p99", "ns/pick");
    vec![format!("{:30}{titles}", ""), screen.paint(Look::Dim, &columns)]
}

/// A row. `look` is for what counts: the p99 of all.
pub(super) fn row(screen: &Screen, row: &Row, look: Look) -> Vec<String> {
    let Reading { elapsed, backends, all, failed } = row.reading;
    let rate = all.count as f64 / elapsed.as_secs_f64().max(0.001);
    let p99 = screen.paint(look, &format!("{:>7}", millis(&all, all.p99)));
    let groups: String = backends.iter().map(|backend| group(backend, all.count)).collect();
    let pick = row.pick.map_or("-".into(), |nanos| nanos.to_string());
    let name = screen.paint(Look::Bold, &format!("{:<12}", row.policy));
    let failures = if failed == 0 { "no request failed".into() } else { format!("{failed} REQUESTS FAILED") };
    let failures = screen.paint(if failed == 0 { Look::Dim } else { Look::Bad }, &failures);
    let idea = screen.paint(Look::Dim, idea(row.policy));
    vec![
        format!("{name}{rate:>7.0} {p99}   {groups}{pick:>7}"),
        format!("{:<12}{}  {idea}; {failures}", "", bar(screen, &backends, all.count)),
    ]
}

/// The row of a policy that has not had its turn.
pub(super) fn waiting(screen: &Screen, policy: &str) -> Vec<String> {
    let text = format!("{policy:<12}{:BAR$}  {}", "", idea(policy));
    vec![screen.paint(Look::Dim, &text), String::new()]
}

fn group(answers: &Answers, all: u64) -> String {
    let share = format!("{:.0} %", 100.0 * share(answers, all));
    format!("{share:>5}{:>6}{:>7}   ", millis(answers, answers.p50), millis(answers, answers.p99))
}

fn share(answers: &Answers, all: u64) -> f64 {
    answers.count as f64 / all.max(1) as f64
}

/// A time in milliseconds, if there is any answer that took it.
fn millis(answers: &Answers, time: Duration) -> String {
    if answers.count == 0 { "-".into() } else { format!("{:.1}", time.as_secs_f64() * 1e3) }
}

fn bar(screen: &Screen, backends: &[Answers; COUNT], all: u64) -> String {
    let (mut bar, mut sum, mut drawn) = (String::new(), 0, 0);
    for (answers, (look, sign)) in backends.iter().zip(SIGNS) {
        sum += answers.count;
        let end = (BAR as f64 * sum as f64 / all.max(1) as f64).round() as usize;
        bar += &screen.paint(look, &sign.repeat(end.saturating_sub(drawn)));
        drawn = end;
    }
    bar + &" ".repeat(BAR.saturating_sub(drawn))
}

/// The whole table: rows that are done, and those that wait.
pub(super) fn whole(screen: &Screen, rows: &[Row]) -> Vec<String> {
    let done = rows.iter().flat_map(|done| row(screen, done, Look::Plain));
    let to_come = SHOWN.iter().skip(rows.len()).flat_map(|policy| waiting(screen, policy));
    head(screen).into_iter().chain(done).chain(to_come).collect()
}

/// The table when all rows are done, with the best and the worst p99 marked.
pub(super) fn judged(screen: &Screen, rows: &[Row]) -> Vec<String> {
    let look = |row: &Row| match best_and_worst(rows) {
        Some((best, _)) if row == best => Look::Good,
        Some((_, worst)) if row == worst => Look::Bad,
        _ => Look::Plain,
    };
    let rows = rows.iter().flat_map(|done| row(screen, done, look(done)));
    head(screen).into_iter().chain(rows).collect()
}

/// By p99.
fn best_and_worst(rows: &[Row]) -> Option<(&Row, &Row)> {
    let p99 = |row: &&Row| row.reading.all.p99;
    rows.iter().min_by_key(p99).zip(rows.iter().max_by_key(p99))
}

/// Best and worst in a sentence.
pub(super) fn verdict(rows: &[Row]) -> Option<String> {
    let (best, worst) = best_and_worst(rows)?;
    let (fast, slow) = (best.reading.all, worst.reading.all);
    let times = slow.p99.as_secs_f64() / fast.p99.as_secs_f64().max(1e-6);
    Some(format!(
        "Best by p99: {}, {} ms. Worst: {}, {} ms, {times:.1} times as long.",
        best.policy,
        millis(&fast, fast.p99),
        worst.policy,
        millis(&slow, slow.p99),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(count: u64, millis: u64) -> Answers {
        Answers { count, p50: Duration::from_millis(millis), p99: Duration::from_millis(2 * millis) }
    }

    fn a_row(policy: &'static str, millis: u64) -> Row {
        let backends = [answers(60, 4), answers(30, 8), answers(10, millis)];
        let reading =
            Reading { elapsed: Duration::from_secs(2), backends, all: answers(100, millis), failed: 0 };
        Row { policy, reading, pick: Some(250) }
    }

    #[test]
    fn a_row_tells_rate_shares_times_and_the_pick() {
        let lines = row(&Screen::plain(), &a_row("fair", 24), Look::Good);
        let words: Vec<_> = lines[0].split_whitespace().collect();
        let expected = "fair 50 48.0 60 % 4.0 8.0 30 % 8.0 16.0 10 % 24.0 48.0 250";
        assert_eq!(words, expected.split(' ').collect::<Vec<_>>());
        assert!(lines[1].contains(&format!("{}{}{} ", "█".repeat(18), "▓".repeat(9), "░".repeat(3))));
        assert!(lines[1].ends_with("; no request failed"), "{}", lines[1]);
    }

    #[test]
    fn a_failure_is_shouted() {
        let mut failed = a_row("fair", 24);
        failed.reading.failed = 3;
        assert!(row(&Screen::plain(), &failed, Look::Plain)[1].ends_with("3 REQUESTS FAILED"));
    }

    #[test]
    fn columns_stand_under_their_heads_and_fit_in_100() {
        let rows: Vec<_> = SHOWN.map(|policy| a_row(policy, 999)).into();
        let lines = judged(&Screen::plain(), &rows);
        for line in lines.iter().chain(&whole(&Screen::plain(), &rows[..2])) {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert_eq!(lines[1].find("ns/pick").map(|at| at + 7), Some(lines[2].len()));
        assert_eq!(lines[0].find('█'), lines[1].find("share"));
    }

    #[test]
    fn every_policy_that_is_shown_is_explained() {
        assert!(SHOWN.iter().all(|policy| !idea(policy).is_empty()));
    }

    #[test]
    fn nothing_measured_is_a_dash_and_no_panic() {
        let empty = Row { policy: "fair", reading: Reading::default(), pick: None };
        let lines = row(&Screen::plain(), &empty, Look::Plain);
        assert!(lines[0].ends_with('-'), "{}", lines[0]);
    }

    #[test]
    fn best_and_worst_are_named() {
        let rows = [a_row("random", 200), a_row("fair", 20), a_row("hash", 30)];
        let expected = "Best by p99: fair, 40.0 ms. Worst: random, 400.0 ms, 10.0 times as long.";
        assert_eq!(verdict(&rows).unwrap(), expected);
        assert_eq!(verdict(&[]), None);
    }
}
