//! The gateway's clock: monotonic microseconds since it started.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds since the gateway started (more exactly: since the first call). Never 0, so that
/// 0 can mean "never" wherever a time is kept.
#[must_use]
pub fn now() -> u64 {
    let micros = START.elapsed().as_micros();
    u64::try_from(micros).unwrap_or(u64::MAX - 1) + 1
}

/// Time between two readings as the 31 bits that policies are given; saturates after 35 minutes.
#[must_use]
pub fn span(from: u64, to: u64) -> u32 {
    const LONGEST: u64 = (1 << 31) - 1;
    u32::try_from(to.saturating_sub(from).min(LONGEST)).unwrap_or(u32::MAX)
}

/// A duration as a time on this clock is counted; saturates.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{now, span};

    #[test]
    fn time_is_never_zero_and_never_runs_back() {
        let first = now();
        assert!(first > 0);
        assert!(now() >= first);
    }

    #[test]
    fn a_span_saturates_instead_of_wrapping() {
        assert_eq!(span(5, 3), 0);
        assert_eq!(span(0, u64::MAX), (1 << 31) - 1);
    }
}
