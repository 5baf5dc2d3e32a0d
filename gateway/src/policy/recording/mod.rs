//! Recordings: what one instance after the other was told and asked, and what it answered, so that
//! it can be asked again. The file is described in `docs/recordings.md`.
//!
//! An instance is a function of its birth, of the calls it gets and of the statistics it reads. A
//! recorded instance reads a mirror of the statistics, which is brought up to date before each call
//! and not during it; what changed in the mirror is written down with the call. So the same
//! instance, born again and told the same, answers the same, bit for bit.

mod explain;
mod facts;
mod recorder;
mod replay;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

pub use explain::{Explanation, Ranked};
pub use facts::{Content, Inquiry};
pub use recorder::{Lines, Recorder, Recorders, Session, Summary};
pub use replay::{Difference, Replayed};

use super::{Ask, Choice, Fault};
use crate::stats::{NUMBERS, Outcome, Verdict};

/// The format that is written.
pub const FORMAT: u32 = 1;

/// The first line of a recording.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Header {
    /// [`FORMAT`].
    pub recording: u32,
    /// Version of the gateway that wrote it.
    pub gateway: String,
    /// Name of the upstream.
    pub upstream: String,
    /// Name of the policy.
    pub policy: String,
    /// Its version: the content hash of its file.
    pub version: String,
    /// Its options, as `init` gets them.
    pub options: String,
    /// Were the requests' header fields kept? If not, a policy that reads them sees none.
    pub headers: bool,
}

/// Every other line: one call of an instance.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// `init`, and `restore`.
    Born(Born),
    /// `pick`, or `explain` if the answer is `explained`.
    Pick(Box<Pick>),
    /// `done`; also for policies that do not listen, because it tells how long requests took.
    Done(Done),
    /// `tick`.
    Tick(Tick),
}

/// What differs from the last statistics of the same instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Changes {
    /// [`crate::stats::UpstreamStats::number`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<u64>,
    /// Index of a candidate and its [`crate::stats::BackendStats::numbers`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<(u32, [u64; NUMBERS])>,
}

/// The birth of an instance.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Born {
    /// Tells the instances of a recording apart: the number of its worker.
    pub instance: usize,
    /// The gateway's clock.
    pub now: u64,
    /// As `init` gets it.
    pub seed: u64,
    /// What it got from its predecessor, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// All backends of the tier, in order.
    pub members: Vec<MemberLine>,
    /// The statistics of all candidates.
    pub stats: Changes,
}

/// A backend of the tier.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct MemberLine {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: u32,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its labels, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
    /// Its index among the candidates, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<u32>,
}

/// One pick.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Pick {
    /// Who was asked.
    pub instance: usize,
    /// The WIT's `request`.
    pub ask: AskLine,
    /// What may be asked about the request.
    pub request: Inquiry,
    /// What differs from the last statistics.
    #[serde(default)]
    pub stats: Changes,
    /// What was answered.
    pub answer: Answer,
}

/// An [`Ask`] in a file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
pub struct AskLine {
    key: u64,
    attempt: u32,
    random: u32,
    now: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_length: Option<u64>,
}

/// What a policy answered.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A candidate.
    Backend(u32),
    /// No opinion.
    Abstain,
    /// A refusal with this status.
    Reject(u16),
    /// It failed; the kind of the fault.
    Fault(String),
    /// It was not a pick: it was asked to explain one.
    Explained,
}

/// How an attempt ended.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Done {
    /// Who was told.
    pub instance: usize,
    /// Index of the candidate.
    pub backend: u32,
    /// How it ended, by its name in metrics.
    pub verdict: String,
    /// Status of the answer; 0 when there was none.
    pub status: u16,
    /// Time to connect, microseconds.
    pub connect: u32,
    /// Time to the head of the answer.
    pub first_byte: u32,
    /// Time to its end.
    pub total: u32,
    /// The gateway's clock.
    pub now: u64,
    /// What differs from the last statistics.
    #[serde(default)]
    pub stats: Changes,
}

/// A tick.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Tick {
    /// Who got it.
    pub instance: usize,
    /// The gateway's clock.
    pub now: u64,
    /// What differs from the last statistics.
    #[serde(default)]
    pub stats: Changes,
}

/// A recording that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    /// Its other lines, in order.
    pub events: Vec<Event>,
}

impl Recording {
    /// Is this the beginning of a recording?
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.starts_with("{\"recording\":")
    }

    /// Reads the text of a recording.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub fn read(text: &str) -> Result<Self, String> {
        if !Self::is_one(text) {
            return Err(
                "this is not a recording: its first line does not begin with `{\"recording\":`".into()
            );
        }
        let at = |line: usize| move |error: serde_json::Error| format!("line {}: {error}", line + 1);
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
        let (_, first) = lines.next().unwrap_or_default();
        let header: Header = serde_json::from_str(first).map_err(at(0))?;
        if header.recording != FORMAT {
            return Err(format!(
                "this is a recording of format {}, and this program reads format {FORMAT}: use the gateway that wrote it ({})",
                header.recording, header.gateway
            ));
        }
        let events = lines.map(|(number, line)| serde_json::from_str(line).map_err(at(number)));
        Ok(Self { header, events: events.collect::<Result<_, _>>()? })
    }

    /// The picks, in order.
    pub fn picks(&self) -> impl Iterator<Item = &Pick> {
        self.events.iter().filter_map(|event| match event {
            Event::Pick(pick) if pick.answer != Answer::Explained => Some(&**pick),
            _ => None,
        })
    }
}

impl From<&Ask> for AskLine {
    fn from(ask: &Ask) -> Self {
        let Ask { key, attempt, random, now, body_length } = *ask;
        Self { key, attempt, random, now, body_length }
    }
}

impl From<AskLine> for Ask {
    fn from(line: AskLine) -> Self {
        let AskLine { key, attempt, random, now, body_length } = line;
        Self { key, attempt, random, now, body_length }
    }
}

impl AskLine {
    /// The gateway's clock, microseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Declared length of the request's body.
    #[must_use]
    pub fn body_length(&self) -> Option<u64> {
        self.body_length
    }

    /// 0 for the first attempt of a request.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl From<&Result<Choice, Fault>> for Answer {
    fn from(choice: &Result<Choice, Fault>) -> Self {
        match choice {
            Ok(Choice::Backend(index)) => Self::Backend(*index),
            Ok(Choice::Abstain) => Self::Abstain,
            Ok(Choice::Reject(status)) => Self::Reject(*status),
            Err(fault) => Self::Fault(fault.kind().name().to_owned()),
        }
    }
}

impl Done {
    fn new(instance: usize, backend: u32, outcome: &Outcome, stats: Changes) -> Self {
        let Outcome { verdict, status, connect, first_byte, total, now } = *outcome;
        let verdict = verdict.name().to_owned();
        Self { instance, backend, verdict, status, connect, first_byte, total, now, stats }
    }

    /// The outcome that it tells of.
    fn outcome(&self) -> Outcome {
        let named = Verdict::ALL.into_iter().find(|verdict| verdict.name() == self.verdict);
        let Self { status, connect, first_byte, total, now, .. } = *self;
        Outcome { verdict: named.unwrap_or(Verdict::Cancelled), status, connect, first_byte, total, now }
    }
}

fn encoded(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of a Base64 text; none when it is not one.
fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests;
