//! Test a policy without Wasm: a stand-in for the gateway, one for each thread.
//!
//! ```
//! use pointsman_policy::testing::{backends, gateway, request};
//! use pointsman_policy::stats;
//!
//! gateway(|gateway| gateway.in_flight = vec![3, 0, 1]);
//! assert_eq!(stats::in_flight_of(0), 3);
//! assert_eq!(backends(&[5, 1])[1].name, "127.0.0.1:18101");
//! assert_eq!(request(7).random, 7);
//! ```

mod imports;
mod shares;

use std::cell::RefCell;

pub use crate::bindings::pointsman::policy::log::Level;
use crate::stats::{Detail, Report};
use crate::upstream::Member;
use crate::{Backend, Choice, Policy, Request};

pub(crate) use imports::{request_info, stats, upstream, write};
pub use shares::assert_shares;

/// What the stand-in answers. Everything is empty until a test sets it.
#[derive(Debug, Default)]
pub struct Gateway {
    /// Attempts in flight, by candidate.
    pub in_flight: Vec<u32>,
    /// Response times in microseconds, by candidate.
    pub latency: Vec<u32>,
    /// Ages in microseconds, by candidate.
    pub age: Vec<u32>,
    /// Failures in parts per million, by candidate.
    pub failures: Vec<u32>,
    /// Everything else, by candidate.
    pub details: Vec<Detail>,
    /// What each candidate reported of itself; none where it never did.
    pub reports: Vec<Option<Report>>,
    /// Candidates already tried for this request.
    pub tried: Vec<u32>,
    /// Value of the hash key.
    pub key: Vec<u8>,
    /// Address of the client.
    pub client_address: Vec<u8>,
    /// Method of the request.
    pub method: String,
    /// Path of the request.
    pub path: String,
    /// Query of the request.
    pub query: String,
    /// Host of the request.
    pub host: String,
    /// Headers of the request; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Cookies of the request.
    pub cookies: Vec<(String, String)>,
    /// Name of the upstream.
    pub upstream: String,
    /// The upstream as configured.
    pub members: Vec<Member>,
    /// What the policy wrote to the log.
    pub log: Vec<(Level, String)>,
}

thread_local! {
    static GATEWAY: RefCell<Gateway> = RefCell::default();
}

/// Changes or reads the stand-in of this thread.
pub fn gateway<T>(access: impl FnOnce(&mut Gateway) -> T) -> T {
    GATEWAY.with_borrow_mut(access)
}

/// Candidates with these weights, named `127.0.0.1:18100` and on: the servers that the golden
/// vectors were recorded with.
#[must_use]
pub fn backends(weights: &[u32]) -> Vec<Backend> {
    (18100..).zip(weights).map(|(port, weight)| backend(&format!("127.0.0.1:{port}"), *weight)).collect()
}

/// One candidate.
#[must_use]
pub fn backend(name: &str, weight: u32) -> Backend {
    Backend { name: name.into(), weight, zone: None, labels: Vec::new() }
}

/// The details of a candidate of which nothing is known.
#[must_use]
pub fn detail() -> Detail {
    Detail {
        successes: 0,
        failures: 0,
        failures_in_a_row: 0,
        connect: 0,
        first_byte: 0,
        last_used: 0,
        known_since: 0,
    }
}

/// A policy born with these options (JSON) and candidates, of an upstream in which nobody is
/// down unless the test said so by [`Gateway::members`].
///
/// # Errors
/// What the operator would read.
pub fn policy<P: Policy>(options: &str, backends: Vec<Backend>) -> Result<P, String> {
    gateway(|gateway| {
        if gateway.members.is_empty() {
            gateway.members = members(&backends, &[]);
        }
    });
    crate::glue::start(options, backends, 1)
}

/// The upstream that has these backends, of which some are `down`: what
/// [`Gateway::members`] wants. The rest are the candidates, in order.
#[must_use]
pub fn members(backends: &[Backend], down: &[usize]) -> Vec<Member> {
    let mut candidates = 0..;
    let member = |(index, backend): (usize, &Backend)| Member {
        backend: backend.clone(),
        candidate: if down.contains(&index) { None } else { candidates.next() },
    };
    backends.iter().enumerate().map(member).collect()
}

/// The first attempt of a request that has this `random`.
#[must_use]
pub fn request(random: u32) -> Request {
    Request { key: 0, attempt: 0, random, now: 1, body_length: None }
}

/// Picks for a request for which these candidates were tried before.
pub fn retry(policy: &mut impl Policy, tried: &[u32]) -> Choice {
    gateway(|gateway| gateway.tried = tried.to_vec());
    policy.pick(&Request { attempt: tried.len() as u32, ..request(1) })
}

/// The index of the candidate chosen.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn chosen(choice: Choice) -> u32 {
    match choice {
        Choice::Backend(index) => index,
        other => panic!("no candidate was chosen, but {other:?}"),
    }
}

/// The rows of a table in CSV without quotes, as fields, the heading left out.
pub fn rows(csv: &str) -> impl Iterator<Item = Vec<&str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect())
}

/// A field of a table as a number, or as numbers with spaces between.
///
/// # Panics
/// When it is something else.
#[must_use]
pub fn numbers(field: &str) -> Vec<u32> {
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("not a number: {word:?}"));
    field.split_whitespace().map(number).collect()
}
