//! When a backend is taken out, and for how long.

use std::time::Duration;

/// nginx's `max_fails` and `fail_timeout` of one backend. Off as long as `max_fails` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passive {
    /// So many failures within `fail_timeout` take the backend out for `fail_timeout`.
    pub max_fails: u32,
    /// See `max_fails`.
    pub fail_timeout: Duration,
}

impl Default for Passive {
    /// Off; ten seconds, as in nginx, for who sets `max_fails` alone.
    fn default() -> Self {
        Self { max_fails: 0, fail_timeout: Duration::from_secs(10) }
    }
}

/// Ejection of backends that do nothing but fail, as Envoy's outlier detection
/// (`consecutive_gateway_failure`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// So many gateway errors in a row eject.
    pub errors: u32,
    /// For so long at first; twice as long each time that the trial after it fails.
    pub first: Duration,
    /// Never longer.
    pub longest: Duration,
    /// Most backends out at a time, percent of those in service. One may always go, the last never.
    pub share: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { errors: 5, first: Duration::from_secs(10), longest: Duration::from_secs(300), share: 50 }
    }
}

impl Ejection {
    /// How long the next ejection lasts: `last` is the one before, if the backend has not redeemed
    /// itself since.
    pub(super) fn period(&self, last: Option<Duration>) -> Duration {
        last.map_or(self.first, |last| last.saturating_mul(2)).clamp(self.first, self.longest.max(self.first))
    }

    /// May another of `all` backends be ejected when `out` are already?
    pub(super) fn allows(&self, out: usize, all: usize) -> bool {
        out + 1 < all && (out == 0 || (out + 1) * 100 <= all * self.share as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ejection_lasts_twice_as_long_up_to_the_longest() {
        let ejection = Ejection::default();
        let mut last = None;
        let mut seconds = || {
            last = Some(ejection.period(last));
            last.unwrap().as_secs()
        };
        assert_eq!([(); 7].map(|()| seconds()), [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn half_may_go_one_always_and_the_last_never() {
        let allows = |out, all| Ejection::default().allows(out, all);
        assert!(!allows(0, 1) && allows(0, 2) && !allows(1, 2));
        assert!(allows(0, 3) && !allows(1, 3));
        assert!(allows(1, 4) && !allows(2, 4));
        assert!(Ejection { share: 1, ..Ejection::default() }.allows(0, 3), "one may always go");
        assert!(!Ejection { share: 100, ..Ejection::default() }.allows(2, 3), "the last never");
    }
}
