//! What the measuring itself costs: where a processor has nothing left, times are those of its queue.

use std::fs;

use super::super::error::{Doing, Error};
use super::gateways::Gateways;

/// CPU time used until a moment, seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    gateways: f64,
    /// Free for us: idle, or with programs of lower priority.
    free: f64,
    all: f64,
}

/// Shares of the processors, per cent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub(super) gateways: f64,
    pub(super) free: f64,
}

impl Usage {
    pub(super) fn now(gateways: &[Gateways]) -> Result<Self, Error> {
        let used: Result<Vec<f64>, Error> = gateways.iter().map(Gateways::cpu).collect();
        let text = fs::read_to_string("/proc/stat").doing("read /proc/stat")?;
        let (free, all) = ticks(&text).unwrap_or_default();
        let second = rustix::param::clock_ticks_per_second() as f64;
        Ok(Self { gateways: used?.iter().sum(), free: free / second, all: all / second })
    }

    /// Used since `before`.
    pub(super) fn since(&self, before: &Self) -> Shares {
        let share = |now: f64, then: f64| 100.0 * (now - then) / (self.all - before.all).max(f64::EPSILON);
        Shares { gateways: share(self.gateways, before.gateways), free: share(self.free, before.free) }
    }
}

/// Ticks that were free and ticks in all, of the first line of `/proc/stat` (proc(5)): user, nice, system,
/// idle, iowait, irq, softirq, steal; what follows is contained in the first two.
fn ticks(text: &str) -> Option<(f64, f64)> {
    let fields = text.lines().next()?.split_ascii_whitespace().skip(1).take(8);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    let [_, nice, _, idle, waiting, ..] = *ticks else { return None };
    Some((nice + idle + waiting, ticks.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn idle_and_nice_ticks_are_free() {
        let text = "cpu  50 10 20 300 5 1 4 10 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(ticks(text), Some((315.0, 400.0)));
        assert_eq!(ticks("cpu 1 2"), None);
    }
}
