//! What the gateway has measured, live, over all its workers. Times in microseconds. An index
//! out of range reads as 0. A scalar costs about 30 ns, a column about 110 ns for ten backends:
//! ask for columns to scan, for scalars to compare a few.

#[cfg(target_arch = "wasm32")]
use crate::bindings::pointsman::policy::stats as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::stats as host;

pub use crate::bindings::pointsman::policy::stats::{Detail, Report};

/// Attempts begun and not ended, for each candidate.
#[must_use]
pub fn in_flight() -> Vec<u32> {
    host::in_flight()
}

/// Attempts begun and not ended at one candidate.
#[must_use]
pub fn in_flight_of(backend: u32) -> u32 {
    host::in_flight_of(backend)
}

/// Attempts begun and not ended, at all candidates together.
#[must_use]
pub fn in_flight_total() -> u32 {
    host::in_flight_total()
}

/// Decayed mean response time of each candidate; never 0. Without samples it is the mean of the
/// upstream.
#[must_use]
pub fn latency() -> Vec<u32> {
    host::latency()
}

/// Decayed mean response time of one candidate.
#[must_use]
pub fn latency_of(backend: u32) -> u32 {
    host::latency_of(backend)
}

/// Mean age of the attempts in flight at each candidate; 0 when there are none.
#[must_use]
pub fn age() -> Vec<u32> {
    host::age()
}

/// Mean age of the attempts in flight at one candidate.
#[must_use]
pub fn age_of(backend: u32) -> u32 {
    host::age_of(backend)
}

/// Decayed share of failed attempts of each candidate, in parts per million.
#[must_use]
pub fn failures() -> Vec<u32> {
    host::failures()
}

/// Decayed share of failed attempts of one candidate, in parts per million.
#[must_use]
pub fn failures_of(backend: u32) -> u32 {
    host::failures_of(backend)
}

/// Everything else about one candidate.
#[must_use]
pub fn detail_of(backend: u32) -> Detail {
    host::detail_of(backend)
}

/// What one candidate last reported of itself; none when it never did.
#[must_use]
pub fn report_of(backend: u32) -> Option<Report> {
    host::report_of(backend)
}
