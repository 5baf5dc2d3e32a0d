//! Backends that are alike, and what befalls them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::span::{Moment, Span};

/// Backends that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    #[serde(default = "one")]
    pub(super) number: usize,
    #[serde(default = "one_core")]
    pub(super) cores: u32,
    #[serde(default = "full_speed")]
    pub(super) speed: f64,
    #[serde(default = "one_core")]
    pub(super) weight: u32,
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) queue: Discipline,
    pub(super) cache: Option<Caching>,
    pub(super) slow: Option<Slow>,
    pub(super) fails: Option<Failing>,
    pub(super) stalls: Option<Stalls>,
    pub(super) restarts: Option<Restarts>,
    pub(super) jumps: Option<Jumps>,
    pub(super) leaves: Option<Leaves>,
}

/// Who is served when there are more requests than cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Discipline {
    /// All at once, each a little: threads, goroutines, event loops.
    #[default]
    Shared,
    /// One after the other: a pool of workers with a queue.
    Fifo,
}

/// It remembers keys, and then has less to do.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Caching {
    /// Keys that it remembers.
    pub(super) entries: usize,
    /// Share of the work that is left for a key that it remembers.
    pub(super) hit: f64,
}

/// A brown-out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slow {
    #[serde(default = "beginning")]
    pub(super) from: Moment,
    pub(super) until: Option<Moment>,
    /// Share of its speed that is left.
    pub(super) speed: f64,
}

/// It answers with failures.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failing {
    #[serde(default = "beginning")]
    pub(super) from: Moment,
    pub(super) until: Option<Moment>,
    /// Share of the attempts that fail.
    #[serde(default = "full_speed")]
    pub(super) share: f64,
    /// How long a failure takes.
    #[serde(default = "a_milli")]
    pub(super) after: Span,
    #[serde(default)]
    pub(super) how: Failure,
}

/// Ways to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Failure {
    /// A status of 500.
    #[default]
    Error,
    /// No connection.
    Refuse,
    /// The connection breaks.
    Break,
    /// No answer at all.
    Hang,
}

/// It stands still now and then, as for a garbage collector.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stalls {
    pub(super) every: Span,
    /// For how long.
    pub(super) pause: Span,
}

/// Its members are restarted one after the other.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restarts {
    /// Time from one member to the next.
    pub(super) every: Span,
    /// How long a member is gone. What it was serving breaks, unless this is 0.
    #[serde(default)]
    pub(super) down: Span,
    /// How long it is slow afterwards...
    #[serde(default)]
    pub(super) warm: Span,
    /// ...and how fast it is then.
    #[serde(default = "full_speed")]
    pub(super) speed: f64,
}

/// Somebody else uses its machine: its speed changes at random.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jumps {
    pub(super) every: Span,
    /// Shares of its speed, all equally likely.
    pub(super) speeds: Vec<f64>,
}

/// It is taken out of the configuration, and perhaps put back.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leaves {
    pub(super) at: Moment,
    pub(super) back: Option<Moment>,
}

impl Group {
    /// What cannot be simulated.
    pub(super) fn problem(&self) -> Option<String> {
        let bad_share = |what: &str, share: f64| {
            (!(0.0..=1.0).contains(&share)).then(|| format!("`{what}` is a share from 0 to 1, not {share}"))
        };
        if self.number == 0 || self.cores == 0 {
            return Some("`number` and `cores` must be at least 1".into());
        }
        if !(1..=65_535).contains(&self.weight) {
            return Some(format!("`weight` goes from 1 to 65535, not {}", self.weight));
        }
        if !(self.speed.is_finite() && self.speed > 0.0) {
            return Some(format!("`speed` must be more than 0, not {}", self.speed));
        }
        let periods = [
            ("stalls.every", self.stalls.map(|s| s.every)),
            ("restarts.every", self.restarts.map(|r| r.every)),
            ("jumps.every", self.jumps.as_ref().map(|j| j.every)),
        ];
        if let Some((what, _)) =
            periods.iter().find(|(_, every)| every.is_some_and(|every| every < Span::millis(1)))
        {
            return Some(format!("`{what}` must be at least `1ms`"));
        }
        if self
            .jumps
            .as_ref()
            .is_some_and(|j| j.speeds.is_empty() || j.speeds.iter().any(|s| !(0.0..=100.0).contains(s)))
        {
            return Some("`jumps.speeds` needs one or more shares of the speed".into());
        }
        self.cache
            .and_then(|cache| bad_share("cache.hit", cache.hit))
            .or_else(|| self.fails.and_then(|fails| bad_share("fails.share", fails.share)))
            .or_else(|| self.slow.and_then(|slow| bad_share("slow.speed", slow.speed)))
            .or_else(|| self.restarts.and_then(|restarts| bad_share("restarts.speed", restarts.speed)))
    }
}

fn one_core() -> u32 {
    1
}

fn full_speed() -> f64 {
    1.0
}

fn a_milli() -> Span {
    Span::millis(1)
}

fn beginning() -> Moment {
    Moment::At(Span(0))
}

fn one() -> usize {
    1
}
