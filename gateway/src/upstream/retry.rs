//! When an attempt that failed may be followed by another, and how many may.

use std::cell::Cell;
use std::time::Duration;

use crate::stats::Verdict;

/// The rules for retries of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After which failures (nginx `proxy_next_upstream`).
    pub on: RetryOn,
    /// For how long after the first attempt began; none: no limit (nginx `proxy_next_upstream_timeout`).
    pub timeout: Option<Duration>,
    /// Retries of requests that a backend may have seen, in percent of requests.
    pub budget: u32,
    /// Bytes of a request's body that are kept, so that it can be sent again.
    pub keep: usize,
}

impl Default for Retry {
    fn default() -> Self {
        Self { on: RetryOn::default(), timeout: None, budget: 20, keep: 64 * 1024 }
    }
}

/// The conditions of nginx's `proxy_next_upstream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryOn {
    /// The backend could not be reached, or broke off.
    pub error: bool,
    /// It was too slow.
    pub timeout: bool,
    /// What it answered was not HTTP.
    pub invalid_header: bool,
    /// It answered with one of these.
    pub statuses: Box<[u16]>,
    /// Requests whose method is not idempotent too.
    pub non_idempotent: bool,
}

impl Default for RetryOn {
    /// Failures to answer; no status, and nothing that is not idempotent.
    fn default() -> Self {
        Self {
            error: true,
            timeout: true,
            invalid_header: true,
            statuses: Box::default(),
            non_idempotent: false,
        }
    }
}

impl RetryOn {
    /// No condition at all: nginx's `off`.
    #[must_use]
    pub fn never() -> Self {
        Self { error: false, timeout: false, invalid_header: false, ..Self::default() }
    }

    /// Is an answer with this status as good as none?
    #[must_use]
    pub fn has_status(&self, status: u16) -> bool {
        !self.statuses.is_empty() && self.statuses.contains(&status)
    }

    /// Is an attempt that ended so unsuccessful in nginx's sense? Failures to answer always are
    /// (`error`, `timeout`, `invalid_header`), statuses if they are listed, 403 and 404 never.
    #[must_use]
    pub fn is_unsuccessful(&self, verdict: Verdict, status: u16) -> bool {
        match verdict {
            Verdict::ConnectFailed | Verdict::TimedOut | Verdict::Broken => true,
            Verdict::Success | Verdict::ServerError => {
                !matches!(status, 403 | 404) && self.has_status(status)
            }
            Verdict::Cancelled => false,
        }
    }
}

/// A retry, in thousandths.
const RETRY: u64 = 1_000;
/// Retries a second that are always allowed, in each worker: a quiet upstream has no share to
/// speak of.
const FLOOR: u64 = 10;
/// Most retries that are saved up.
const MOST: u64 = 100 * RETRY;

/// What is left for retries of one upstream in one worker. Requests pay in, retries draw: when a
/// whole fleet is in trouble, retries must not multiply the load that it cannot bear.
#[derive(Debug)]
pub struct Budget {
    balance: Cell<u64>,
    /// When the floor was last paid in.
    paid: Cell<u64>,
}

impl Budget {
    /// As much as the floor gives in ten seconds.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { balance: Cell::new(MOST), paid: Cell::new(now) }
    }

    /// A request begins, and pays for `percent` hundredths of a retry.
    pub fn deposit(&self, percent: u32) {
        self.balance.set((self.balance.get() + u64::from(percent) * RETRY / 100).min(MOST));
    }

    /// Draws a retry; false if there is nothing left.
    #[must_use]
    pub fn withdraw(&self, now: u64) -> bool {
        let earned = now.saturating_sub(self.paid.replace(now)).saturating_mul(FLOOR * RETRY) / 1_000_000;
        let balance = self.balance.get().saturating_add(earned).min(MOST);
        let enough = balance >= RETRY;
        self.balance.set(if enough { balance - RETRY } else { balance });
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn drawn(budget: &Budget, now: u64) -> usize {
        std::iter::repeat_with(|| budget.withdraw(now)).take_while(|enough| *enough).count()
    }

    #[test]
    fn requests_pay_for_retries() {
        let budget = Budget::new(SECOND);
        assert_eq!(drawn(&budget, SECOND), 100);
        (0..50).for_each(|_| budget.deposit(20));
        assert_eq!(drawn(&budget, SECOND), 10);
        budget.deposit(0);
        assert_eq!(drawn(&budget, SECOND), 0);
    }

    #[test]
    fn a_few_a_second_are_always_allowed_and_not_saved_for_ever() {
        let budget = Budget::new(SECOND);
        drawn(&budget, SECOND);
        assert_eq!(drawn(&budget, 3 * SECOND), 20);
        assert_eq!(drawn(&budget, 1_000 * SECOND), 100);
    }

    #[test]
    fn what_counts_as_unsuccessful_is_what_nginx_counts() {
        let on = RetryOn { statuses: [404, 503].into(), ..RetryOn::never() };
        assert!(on.is_unsuccessful(Verdict::TimedOut, 0));
        assert!(on.is_unsuccessful(Verdict::ServerError, 503));
        assert!(!on.is_unsuccessful(Verdict::ServerError, 500));
        assert!(!on.is_unsuccessful(Verdict::Success, 404));
    }
}
