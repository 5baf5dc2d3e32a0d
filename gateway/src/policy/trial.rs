//! Trying a policy before it serves: what a reload, `pointsman check` and `policy inspect` do.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Uri, header};

use super::{Ask, Birth, BirthError, Choice, Facts, Fault, FaultKind, Instance, Policy};
use crate::stats::{Outcome, Verdict, clock};

/// Picks of one trial.
const PICKS: u32 = 300;

/// What a trial has shown.
#[derive(Clone, Debug)]
pub struct Report {
    /// Calls of `pick`.
    pub picks: u32,
    /// How often each candidate was chosen.
    pub chosen: Vec<u32>,
    /// How often it had no opinion.
    pub abstained: u32,
    /// How often it refused the request.
    pub rejected: u32,
    /// Time to be born, `init` included.
    pub birth: Duration,
    /// Median duration of a pick.
    pub median: Duration,
    /// The longest pick. The first calls of an instance are slower than those that follow.
    pub slowest: Duration,
    /// Bytes of linear memory held at the end.
    pub memory: usize,
    /// How often it wants to tick.
    pub period: Option<Duration>,
    /// Size of its saved state, if it keeps one.
    pub state: Option<usize>,
    /// What it says about a pick, if it explains.
    pub explanation: Option<String>,
}

/// A trial that failed: the policy must not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// It was not born.
    #[error(transparent)]
    Birth(#[from] BirthError),
    /// It failed in a call.
    #[error("{fault} (in trial, {during})")]
    Fault {
        /// Which call: `pick 17`.
        during: String,
        /// What happened.
        fault: Fault,
    },
}

impl TrialError {
    /// The kind of its fault, for metrics.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Birth(error) => error.kind(),
            Self::Fault { fault, .. } => fault.kind(),
        }
    }
}

/// Gives birth to an instance with the real options and candidates, asks it a few hundred picks
/// with made-up requests, tells it made-up outcomes, and lets it hand over its state.
///
/// A missed deadline is tried once more: the thread may have been descheduled.
///
/// # Errors
/// The first thing that goes wrong.
pub fn try_out(policy: &Arc<Policy>, birth: &Birth<'_>) -> Result<Report, TrialError> {
    match Trial::run(policy, birth) {
        Err(error) if error.kind() == FaultKind::Deadline => Trial::run(policy, birth),
        result => result,
    }
}

struct Trial {
    instance: Instance,
    facts: Facts,
    report: Report,
    durations: Vec<Duration>,
}

impl Trial {
    fn run(policy: &Arc<Policy>, birth: &Birth<'_>) -> Result<Report, TrialError> {
        let mut trial = Self::begin(policy, birth)?;
        for number in 0..PICKS {
            trial
                .pick(number)
                .map_err(|fault| TrialError::Fault { during: format!("pick {number}"), fault })?;
        }
        let during = |call: &str| {
            let during = call.to_owned();
            move |fault| TrialError::Fault { during, fault }
        };
        let last = ask(PICKS);
        trial.report.explanation =
            trial.instance.explain(&last, &mut trial.facts).map_err(during("explain"))?;
        trial.instance.tick(clock::now()).map_err(during("tick"))?;
        let saved = trial.instance.save().map_err(during("save"))?;
        if let Some(state) = &saved {
            policy.instantiate(Birth { state: Some(state), ..birth.clone() })?;
        }
        Ok(trial.end(saved))
    }

    fn begin(policy: &Arc<Policy>, birth: &Birth<'_>) -> Result<Self, TrialError> {
        let began = Instant::now();
        let instance = policy.instantiate(birth.clone())?;
        let report = Report {
            picks: 0,
            chosen: vec![0; birth.candidates.backends.len()],
            abstained: 0,
            rejected: 0,
            birth: began.elapsed(),
            median: Duration::ZERO,
            slowest: Duration::ZERO,
            memory: 0,
            period: instance.period(),
            state: None,
            explanation: None,
        };
        Ok(Self { instance, facts: made_up(), report, durations: Vec::with_capacity(PICKS as usize) })
    }

    fn pick(&mut self, number: u32) -> Result<(), Fault> {
        let ask = ask(number);
        if ask.attempt == 0 {
            self.facts.tried.clear();
        }
        let began = Instant::now();
        let choice = self.instance.pick(&ask, &mut self.facts)?;
        self.durations.push(began.elapsed());
        self.report.picks += 1;
        match choice {
            Choice::Backend(index) => {
                self.report.chosen[index as usize] += 1;
                self.facts.tried.push(index);
                self.instance.done(index, &outcome(number))?;
            }
            Choice::Abstain => self.report.abstained += 1,
            Choice::Reject(_) => self.report.rejected += 1,
        }
        Ok(())
    }

    fn end(mut self, saved: Option<Vec<u8>>) -> Report {
        self.durations.sort_unstable();
        self.report.median = self.durations.get(self.durations.len() / 2).copied().unwrap_or_default();
        self.report.slowest = self.durations.last().copied().unwrap_or_default();
        self.report.memory = self.instance.memory();
        self.report.state = saved.map(|saved| saved.len());
        self.report
    }
}

/// Spreads small numbers over 64 bits (Fibonacci hashing), the same in each trial.
fn spread(number: u32) -> u64 {
    u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn ask(number: u32) -> Ask {
    Ask {
        key: if number.is_multiple_of(7) { 0 } else { spread(number) >> 11 },
        // Runs of three: a first attempt and two more.
        attempt: number % 3,
        random: (spread(number) >> 33) as u32,
        now: clock::now(),
        body_length: number.is_multiple_of(2).then_some(u64::from(number) * 100),
    }
}

fn outcome(number: u32) -> Outcome {
    let verdict = Verdict::ALL[number as usize % Verdict::ALL.len()];
    let status = match verdict {
        Verdict::Success => 200,
        Verdict::ServerError => 503,
        _ => 0,
    };
    Outcome { verdict, status, connect: 200, first_byte: 3_000, total: 5_000, now: clock::now() }
}

fn made_up() -> Facts {
    let mut facts = Facts {
        target: Uri::from_static("/trial?n=1"),
        host: b"trial.invalid"[..].into(),
        client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        ..Facts::default()
    };
    facts.headers.insert(header::HOST, HeaderValue::from_static("trial.invalid"));
    facts.headers.insert(header::COOKIE, HeaderValue::from_static("session=trial"));
    facts.key.extend_from_slice(b"/trial");
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::guests;

    #[test]
    fn a_good_policy_gets_a_report() {
        let report = try_out(&guests::load("first"), &guests::birth(3)).unwrap();
        assert_eq!(report.chosen, [PICKS, 0, 0]);
        assert_eq!((report.abstained, report.rejected), (0, 0));
        assert!(report.median > Duration::ZERO && report.median <= report.slowest);
        assert_eq!(report.memory, 65_536);
    }

    #[test]
    fn a_bad_policy_is_found_out_before_it_serves() {
        let tried = |guest| try_out(&guests::load(guest), &guests::birth(3)).unwrap_err();
        assert_eq!(tried("never_returns").kind(), FaultKind::Deadline);
        assert_eq!(tried("init_fails").kind(), FaultKind::Init);
        let error = tried("index_too_big").to_string();
        assert_eq!(error, "the policy chose backend 9999, which does not exist (in trial, pick 0)");
    }

    #[test]
    fn optional_interfaces_are_tried_too() {
        let report = |guest| try_out(&guests::load(guest), &guests::birth(2)).unwrap();
        assert_eq!(report("state").state, Some(4));
        assert_eq!(report("explain").explanation.as_deref(), Some("always the first"));
        assert_eq!(report("timer").period, Some(Duration::from_millis(250)));
    }
}
