//! What can be set.

use pointsman_policy::Span;
use serde::Deserialize;

/// A scan of more would take longer than a policy has.
const SCAN_MAX: u32 = 1_000;
/// More would be a scan, for more than a scan costs.
const LOOKS_MAX: u32 = 64;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Up to so many candidates are all looked at.
    pub(crate) scan_max: u32,
    /// Of more candidates, so many are drawn.
    pub(crate) choices: u32,
    /// And so many of the best of the pick before are looked at again.
    pub(crate) memory: u32,
    /// The share of candidates seen lately that counts as not busy.
    pub(crate) hot_quantile: f64,
    /// How long a backend that joined later than others is spared.
    pub(crate) slow_start: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self { scan_max: 64, choices: 12, memory: 4, hot_quantile: 0.6, slow_start: Span::seconds(10) }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.scan_max > SCAN_MAX {
            return Err(format!("scan_max: expected 0 to {SCAN_MAX}, found {}", self.scan_max));
        }
        if !(2..=LOOKS_MAX).contains(&self.choices) {
            return Err(format!("choices: expected 2 to {LOOKS_MAX}, found {}", self.choices));
        }
        if self.memory > LOOKS_MAX {
            return Err(format!("memory: expected 0 to {LOOKS_MAX}, found {}", self.memory));
        }
        if !(0.0..=1.0).contains(&self.hot_quantile) {
            return Err("hot_quantile: expected 0 to 1, as 0.6".into());
        }
        Ok(())
    }
}
