//! The report card: what was tried, what was expected, what happened.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Wishes;
use crate::policy::Policy;

/// How a property came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// As expected, or accepted; but the author should know.
    Noted,
    /// There is nothing to try: the policy does not claim the property.
    Skipped,
    /// Not as expected.
    Failed,
}

/// One property of one policy.
#[derive(Clone, Debug)]
pub struct Check {
    /// The property's name.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was done.
    pub tried: String,
    /// What a good policy does then.
    pub expected: &'static str,
    /// What this one did.
    pub happened: String,
    /// How long it took.
    pub took: Duration,
}

/// Everything that was found out about a policy.
#[derive(Clone, Debug)]
pub struct Card {
    /// The policy's name.
    pub policy: String,
    /// The version, a hash of the file.
    pub version: String,
    /// Size of the file, bytes.
    pub size: usize,
    /// The options that it was tried with, a JSON object.
    pub options: String,
    /// Makes the same test again.
    pub seed: u64,
    /// The properties, in the order in which they were tried.
    pub checks: Vec<Check>,
    /// How long all of it took.
    pub took: Duration,
}

impl Verdict {
    /// Its name in the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Noted => "noted",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// The word that begins its line: a failure must not be overlooked.
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            _ => self.name(),
        }
    }
}

impl Check {
    /// The only one for a file that is no policy.
    pub(super) fn refused(why: &str) -> Self {
        Self {
            name: "load",
            verdict: Verdict::Failed,
            tried: "loading the file".into(),
            expected: "a policy that the gateway takes",
            happened: why.into(),
            took: Duration::ZERO,
        }
    }
}

impl Card {
    pub(super) fn new(name: &str, bytes: &[u8], wishes: &Wishes) -> Self {
        Self {
            policy: name.into(),
            version: Policy::version_of(bytes),
            size: bytes.len(),
            options: wishes.options.clone(),
            seed: wishes.seed,
            checks: Vec::new(),
            took: Duration::ZERO,
        }
    }

    pub(super) fn push(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Did nothing fail?
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }

    /// The card for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let checks: Vec<Value> = self.checks.iter().map(Check::json).collect();
        json!({
            "policy": self.policy,
            "version": self.version,
            "bytes": self.size,
            "options": serde_json::from_str::<Value>(&self.options).unwrap_or_default(),
            "seed": self.seed,
            "passed": self.passed(),
            "seconds": self.took.as_secs_f64(),
            "checks": checks,
        })
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }
}

impl Check {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "verdict": self.verdict.name(),
            "tried": self.tried,
            "expected": self.expected,
            "happened": self.happened,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// The card for people.
impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "policy {} {} ({} bytes), options {}\n",
            self.policy, self.version, self.size, self.options
        )?;
        for check in &self.checks {
            write!(f, "{check}")?;
        }
        let [passed, noted, skipped, failed] =
            [Verdict::Passed, Verdict::Noted, Verdict::Skipped, Verdict::Failed].map(|v| self.count(v));
        let word = if self.passed() { "good" } else { "NOT GOOD" };
        writeln!(
            f,
            "\n{word}: {passed} passed, {noted} noted, {skipped} do not apply, {failed} failed; {:.1} s, seed {}",
            self.took.as_secs_f64(),
            self.seed
        )?;
        let failed =
            self.checks.iter().find(|check| check.verdict == Verdict::Failed && check.name != "load");
        failed
            .map_or(Ok(()), |check| writeln!(f, "repeat one: add --seed {} --only {}", self.seed, check.name))
    }
}

/// One line for what is as it should be, the whole story for what is not.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = " ".repeat(22);
        writeln!(
            f,
            "{:<7} {:<13} {}",
            self.verdict.word(),
            self.name,
            self.happened.replace('\n', &format!("\n{indent}"))
        )?;
        if matches!(self.verdict, Verdict::Failed | Verdict::Noted) {
            writeln!(f, "{indent}tried: {}", self.tried)?;
            writeln!(f, "{indent}expected: {}", self.expected)?;
        }
        Ok(())
    }
}
