//! How late things happen in a machine that has more to do than one thing.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// One class is so wide, microseconds.
const WIDTH: u128 = 100;
/// What is later than all of these classes counts as the last.
const CLASSES: usize = 1_000;

/// A histogram of delays, from 0 to 100 ms.
#[derive(Debug)]
pub(super) struct Late(Vec<AtomicU32>);

impl Default for Late {
    fn default() -> Self {
        Self((0..CLASSES).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Late {
    pub(super) fn note(&self, delay: Duration) {
        let class = usize::try_from(delay.as_micros() / WIDTH).unwrap_or(CLASSES).min(CLASSES - 1);
        self.0[class].fetch_add(1, Relaxed);
    }

    /// Milliseconds that this share of the delays took at most, to a tenth.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let counts: Vec<f64> = self.0.iter().map(|count| f64::from(count.load(Relaxed))).collect();
        let wanted = share * counts.iter().sum::<f64>();
        let mut sum = 0.0;
        let class = counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        (class.unwrap_or(CLASSES) + 1) as f64 * WIDTH as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Late;

    #[test]
    fn a_share_of_the_delays_is_within_its_percentile() {
        let late = Late::default();
        (0..1_000).for_each(|tenth| late.note(Duration::from_micros(tenth * 100)));
        assert!((late.percentile(0.5) - 50.0).abs() < 1e-9);
        assert!((late.percentile(0.99) - 99.0).abs() < 1e-9);
        late.note(Duration::from_secs(9));
        assert!((late.percentile(1.0) - 100.0).abs() < 1e-9);
    }
}
