//! What is known of the health of one backend.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Ejected because it failed.
const EJECTED: u8 = 1;
/// Ejected, and one request is trying it.
const TRIAL: u8 = 2;
/// Active checks say that it is not well.
const FAILING: u8 = 4;
/// An operator drains it.
const DRAINING: u8 = 8;

/// The health of one backend. It outlives generations, and all workers share it. Requests read
/// one byte of it; what is behind the lock is touched when something fails.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Condition {
    gate: AtomicU8,
    /// Gateway errors in a row.
    errors: AtomicU32,
    /// Since when it may be chosen again, for slow start; 0 if it was never away.
    back_since: AtomicU64,
    record: Mutex<Record>,
    /// Times it was ejected, and came back.
    pub(super) ejections: AtomicU64,
    pub(super) returns: AtomicU64,
    /// Active checks that it passed, and failed.
    checks: [AtomicU64; 2],
}

/// The history that decides on ejections.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// nginx's count of failures, and when it began.
    pub(super) fails: u32,
    pub(super) first_fail: u64,
    /// When it was last ejected, until when, and for how long.
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) period: Option<Duration>,
    /// When it last came back.
    pub(super) returned: u64,
}

/// How a backend stands, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// In service.
    #[default]
    Up,
    /// Configured as out of service.
    Down,
    /// No new clients; what is under way is finished.
    Draining,
    /// Active checks fail.
    Failing,
    /// It failed too often.
    Ejected,
    /// It failed too often, and one request is trying it.
    Trial,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Up, Self::Down, Self::Draining, Self::Failing, Self::Ejected, Self::Trial];

    /// Its name in metrics and on the state page.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Draining => "draining",
            Self::Failing => "failing",
            Self::Ejected => "ejected",
            Self::Trial => "trial",
        }
    }
}

impl Condition {
    /// May it be given any request? One load; the usual answer is yes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gate.load(Relaxed) == 0
    }

    /// Is it well, as far as is known? An operator's wish does not count here.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.gate.load(Relaxed) & (EJECTED | FAILING) == 0
    }

    /// Does an operator drain it?
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.gate.load(Relaxed) & DRAINING != 0
    }

    /// How it stands, apart from what is configured.
    #[must_use]
    pub fn state(&self) -> State {
        match self.gate.load(Relaxed) {
            gate if gate & DRAINING != 0 => State::Draining,
            gate if gate & FAILING != 0 => State::Failing,
            gate if gate & TRIAL != 0 => State::Trial,
            gate if gate & EJECTED != 0 => State::Ejected,
            _ => State::Up,
        }
    }

    /// Since when it may be chosen again; 0 if it was never away.
    #[must_use]
    pub fn back_since(&self) -> u64 {
        self.back_since.load(Relaxed)
    }

    /// It may be chosen again from now on.
    pub fn came_back(&self, now: u64) {
        self.back_since.store(now, Relaxed);
    }

    /// How often it was ejected.
    #[must_use]
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    /// How often it came back after that.
    #[must_use]
    pub fn returns(&self) -> u64 {
        self.returns.load(Relaxed)
    }

    /// Active checks so far: passed, failed.
    #[must_use]
    pub fn checks(&self) -> (u64, u64) {
        (self.checks[0].load(Relaxed), self.checks[1].load(Relaxed))
    }

    /// Counts an active check.
    pub fn count_check(&self, passed: bool) {
        self.checks[usize::from(!passed)].fetch_add(1, Relaxed);
    }

    /// A request went well.
    pub(super) fn forgive(&self) {
        if self.errors.load(Relaxed) != 0 {
            self.errors.store(0, Relaxed);
        }
    }

    /// One more gateway error; how many there are in a row.
    pub(super) fn count_error(&self) -> u32 {
        self.errors.fetch_add(1, Relaxed).saturating_add(1)
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.gate.load(Relaxed) & EJECTED != 0
    }

    pub(super) fn is_on_trial(&self) -> bool {
        self.gate.load(Relaxed) & TRIAL != 0
    }

    pub(super) fn is_failing(&self) -> bool {
        self.gate.load(Relaxed) & FAILING != 0
    }

    pub(super) fn set_ejected(&self, ejected: bool) {
        self.set(EJECTED, ejected);
        self.set(TRIAL, false);
    }

    pub(super) fn set_on_trial(&self, on_trial: bool) {
        self.set(TRIAL, on_trial);
    }

    /// Whether that changed anything.
    pub(super) fn set_failing(&self, failing: bool) -> bool {
        self.set(FAILING, failing)
    }

    /// Whether that changed anything.
    pub(super) fn set_draining(&self, draining: bool) -> bool {
        self.set(DRAINING, draining)
    }

    fn set(&self, bit: u8, on: bool) -> bool {
        let before = if on { self.gate.fetch_or(bit, Relaxed) } else { self.gate.fetch_and(!bit, Relaxed) };
        (before & bit != 0) != on
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        // Every change leaves the record consistent.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
