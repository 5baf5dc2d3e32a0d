//! Statistics at their limits.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};
use crate::kit::world::outcome;
use crate::stats::{BackendStats, Report, UpstreamStats, Verdict};

pub(super) const EXTREMES: Property =
    Property { name: "extremes", expected: "a choice for each, never a trap, nobody refused", examine };

const PICKS: u32 = 60;
/// The largest number that a statistic can be.
const LARGEST: u32 = (1 << 31) - 1;
const EARLY: u64 = 1;
const LATE: u64 = (1 << 53) - 1;

/// A state that one backend can be in.
type State = fn(&BackendStats, &UpstreamStats);

const STATES: [(&str, State); 6] = [
    ("nothing known", |_, _| {}),
    ("slowest", |stats, upstream| stats.record(&outcome(Verdict::Success, LARGEST, LATE), upstream)),
    ("fastest", |stats, upstream| stats.record(&outcome(Verdict::Success, 1, LATE), upstream)),
    ("always failing", |stats, upstream| {
        for _ in 0..400 {
            stats.record(&outcome(Verdict::ConnectFailed, 1, LATE), upstream);
        }
    }),
    ("fullest", |stats, _| stats.crowd(LARGEST, EARLY)),
    ("reporting overload", |stats, _| stats.note_report(overload())),
];

/// A report of the largest numbers there are.
fn overload() -> Report {
    Report { load: u32::MAX, requests: u32::MAX, errors: u32::MAX, at: LATE }
}

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries("1, 3 and 100 candidates; all, one or every other of them slowest, fastest, always failing, fullest (2^31 - 1 each); first and last moment of the clock");
    let (mut picks, mut refused) = (0, Vec::new());
    for number in [1, 3, 100] {
        for (name, state) in STATES {
            for (who, every) in [("all", 1), ("every other", 2), ("one", number + 1)] {
                let fleet = Fleet::of(number);
                (0..number).step_by(every).for_each(|index| state(&fleet.stats(index), fleet.upstream()));
                let place = format!("{who} of {number} {name}");
                let (asked, rejected) = pick(trial.subject, &fleet, &place)?;
                picks += asked;
                if rejected > 0 {
                    refused.push(format!("{place}: {rejected} of {asked}"));
                }
            }
        }
    }
    if refused.is_empty() {
        return Ok(Found::Expected(format!(
            "{picks} picks with statistics at their limits, a choice for each"
        )));
    }
    Ok(Found::Noteworthy(format!(
        "{picks} picks without a trap, but requests were refused:\n{}",
        refused.join("\n")
    )))
}

/// Picks, and how many requests were refused.
fn pick(subject: &Subject, fleet: &Fleet, place: &str) -> Result<(u32, u32), Stopped> {
    let candidates = fleet.candidates();
    let number = candidates.backends.len();
    let mut instance = subject.born(candidates)?;
    let mut dice = subject.dice(place);
    let (picks, mut rejected) = (subject.enough(PICKS, number), 0);
    for pick in 0..picks {
        let tried: Vec<u32> = (0..(pick % 3).min(number as u32 - 1)).collect();
        let now = if pick % 2 == 0 { EARLY } else { LATE };
        let ask = request::ask(pick.into(), tried.len(), dice.bits(), now);
        let choice = instance
            .pick(&ask, &mut request::facts(pick.into(), &tried))
            .map_err(|fault| Stopped(format!("{fault} ({place}, pick {pick})")))?;
        rejected += u32::from(matches!(choice, crate::policy::Choice::Reject(_)));
    }
    Ok((picks, rejected))
}
