//! How long a request may take in all.

use std::time::Duration;

use crate::alarm::Alarm;
use crate::stats::clock;

/// When a request must have ended; most may take as long as something moves. Without one it costs
/// no look at the clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deadline(Option<u64>);

impl Deadline {
    pub(super) fn new(began: u64, timeout: Option<Duration>) -> Self {
        Self(timeout.map(|timeout| began.saturating_add(clock::micros(timeout))))
    }

    /// Sets an alarm to ring after `limit`, or when the request must have ended.
    pub(super) fn set(self, alarm: &Alarm, limit: Duration) {
        alarm.set(limit);
        if let Some(until) = self.0 {
            alarm.bring_forward(until);
        }
    }

    /// As much of `limit` as is left.
    pub(super) fn within(self, limit: Duration) -> Duration {
        let Some(until) = self.0 else { return limit };
        limit.min(Duration::from_micros(until.saturating_sub(clock::now())))
    }

    pub(super) fn has_passed(self) -> bool {
        self.0.is_some_and(|until| until <= clock::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shortens_what_would_last_beyond_it() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
        let deadline = Deadline::new(clock::now(), Some(minute));
        assert!(deadline.within(hour) <= minute);
        assert_eq!(deadline.within(Duration::from_millis(1)), Duration::from_millis(1));
        assert!(!deadline.has_passed());
    }

    #[test]
    fn when_it_has_passed_nothing_is_left() {
        let deadline = Deadline::new(clock::now(), Some(Duration::ZERO));
        assert!(deadline.has_passed());
        assert_eq!(deadline.within(Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn without_one_there_is_no_end() {
        let none = Deadline::default();
        assert_eq!(none.within(Duration::from_secs(9)), Duration::from_secs(9));
        assert!(!none.has_passed());
    }
}
