//! A mean that believes bad news at once and good news slowly.

/// Exponentially weighted moving average that follows peaks: a sample above it replaces it.
///
/// The estimator of Finagle (`finagle-core/.../loadbalancer/PeakEwma.scala`), which Linkerd and
/// tower took over. Times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peak {
    pub(crate) micros: f64,
    pub(crate) at: u64,
}

impl Peak {
    /// Learns one duration that ended at `now`; `tau` is how long it remembers.
    pub(crate) fn learn(&mut self, sample: f64, now: u64, tau: f64) {
        self.micros = if sample > self.micros {
            sample
        } else {
            let kept = self.kept(now, tau);
            self.micros * kept + sample * (1.0 - kept)
        };
        self.at = now.max(self.at);
    }

    /// The mean at `now`: what nobody used lately sinks towards 0, so that it is tried again.
    pub(crate) fn read(&self, now: u64, tau: f64) -> f64 {
        self.micros * self.kept(now, tau)
    }

    fn kept(&self, now: u64, tau: f64) -> f64 {
        (-(now.saturating_sub(self.at) as f64) / tau).exp()
    }
}

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::rows;

    use super::Peak;

    /// Finagle's (which starts at 0) and Linkerd's estimator (which starts at 30 ms) on one
    /// series; see `tests/vectors/README.md`.
    #[test]
    fn agrees_with_finagle_and_linkerd() {
        let csv = include_str!("../../../tests/vectors/peak_ewma.csv");
        for (start, column) in [(0.0, 3), (30_000.0, 4)] {
            let mut peak = Peak { micros: start, at: 0 };
            for row in rows(csv) {
                let field = |index: usize| -> f64 { row[index].parse().expect("a number") };
                peak.learn(field(2) * 1e6, (field(1) * 1e6).round() as u64, 10e6);
                let expected = field(column) * 1e6;
                assert!((peak.micros - expected).abs() < 0.01, "at {} s: {}", row[1], peak.micros);
            }
        }
    }

    #[test]
    fn what_is_not_used_sinks() {
        let peak = Peak { micros: 1_000.0, at: 5 };
        assert!((peak.read(10_000_005, 10e6) - 1_000.0 / std::f64::consts::E).abs() < 0.01);
        assert!((peak.read(0, 10e6) - 1_000.0).abs() < 1e-9, "time does not run back");
    }
}
