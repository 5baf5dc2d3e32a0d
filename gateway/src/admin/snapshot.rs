//! What there is to know about a gateway at one moment.
//!
//! The state page shows these types as JSON under the names of their fields; the metrics are made
//! from them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::certificate::Identity;
use crate::stats::{UpstreamStats, Verdict};
use crate::upstream::{Backend, QueueTotals};

/// The gateway.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// Version of the program.
    pub version: &'static str,
    /// When the gateway started: seconds since 1970.
    pub started: u64,
    /// Number of the generation in force; the first is 1.
    pub generation: u64,
    /// It takes no new connections and ends when the last request has ended.
    pub draining: bool,
    /// Number of worker threads.
    pub workers: usize,
    /// Connections of clients.
    pub connections: Connections,
    /// Requests that were answered, by class of status.
    pub requests: Requests,
    /// Lines that the access log lost.
    pub access_log_lines_dropped: u64,
    /// The limits by key, in the order of the configuration.
    pub limits: Vec<LimitSnapshot>,
    /// The listeners, in the order of the configuration.
    pub listeners: Vec<ListenerSnapshot>,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<UpstreamSnapshot>,
}

/// One limit by key.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LimitSnapshot {
    /// Where it is configured: `rate_limit.a`, `connection_limit.a`.
    pub name: String,
    /// Requests that had to wait; a limit of connections delays none.
    pub delayed: u64,
    /// Requests that were refused, or would have been but for `dry_run`.
    pub refused: u64,
}

/// Connections of clients, over all listeners.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Connections {
    /// Open now.
    pub open: u64,
    /// Accepted since the gateway started.
    pub accepted: u64,
}

/// Requests that were answered since the gateway started.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Requests {
    /// 101: became a tunnel.
    #[serde(rename = "1xx")]
    pub informational: u64,
    /// 200 to 299.
    #[serde(rename = "2xx")]
    pub success: u64,
    /// 300 to 399.
    #[serde(rename = "3xx")]
    pub redirect: u64,
    /// 400 to 499.
    #[serde(rename = "4xx")]
    pub client_error: u64,
    /// 500 to 599.
    #[serde(rename = "5xx")]
    pub server_error: u64,
}

impl Requests {
    /// Class and number, for each class.
    pub(super) fn classes(&self) -> [(&'static str, u64); 5] {
        [
            ("1xx", self.informational),
            ("2xx", self.success),
            ("3xx", self.redirect),
            ("4xx", self.client_error),
            ("5xx", self.server_error),
        ]
    }
}

/// One listener.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ListenerSnapshot {
    /// Its address, as configured.
    pub address: String,
    /// TLS; none where connections are not encrypted.
    pub tls: Option<TlsSnapshot>,
}

/// TLS of one listener.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TlsSnapshot {
    /// Its certificates; the first is for clients that ask for no name.
    pub certificates: Vec<CertificateSnapshot>,
    /// Handshakes since the gateway started, by what became of them.
    pub handshakes: BTreeMap<&'static str, u64>,
}

/// A certificate that the gateway shows to others.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CertificateSnapshot {
    /// The file it was read from.
    pub file: String,
    /// Hosts and addresses that it is for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
    /// Valid from: seconds since 1970.
    pub not_before: i64,
    /// Valid to: seconds since 1970.
    pub not_after: i64,
    /// Why its changed file was not taken up, if it was not.
    pub problem: Option<String>,
}

/// One upstream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpstreamSnapshot {
    /// Its name.
    pub name: String,
    /// The policy that serves it.
    pub policy: PolicySnapshot,
    /// What the gateway shows of itself to its backends, if they ask.
    pub certificate: Option<CertificateSnapshot>,
    /// Too few backends are well, so that all serve.
    pub panic: bool,
    /// Requests that wait for a backend with room.
    pub queue: QueueSnapshot,
    /// Sessions that were learnt.
    pub sessions: usize,
    /// Requests that went on to another attempt.
    pub retries: u64,
    /// Requests that could have, but the budget for retries was used up.
    pub retries_denied: u64,
    /// Its backends, in the order of the configuration.
    pub backends: Vec<BackendSnapshot>,
}

/// The queue of one upstream.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct QueueSnapshot {
    /// Waiting now.
    pub waiting: u32,
    /// Requests that had to wait.
    pub entered: u64,
    /// Requests that found it full.
    pub refused: u64,
    /// Requests that waited in vain.
    pub expired: u64,
}

impl QueueSnapshot {
    /// In these words.
    #[must_use]
    pub fn of(totals: QueueTotals) -> Self {
        let QueueTotals { waiting, entered, refused, expired } = totals;
        Self { waiting, entered, refused, expired }
    }
}

/// The policy of one upstream. Counts are sums over all workers since the gateway started.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PolicySnapshot {
    /// Its name.
    pub name: String,
    /// Its version: the content hash of its file.
    pub version: String,
    /// Who picks now.
    pub state: PolicyState,
    /// Calls of `pick`.
    pub picks: u64,
    /// Mean time of a pick, nanoseconds.
    pub pick_ns: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Picks that were repeated because the chosen backend was tried already or full.
    pub re_picks: u64,
    /// Choices that the gateway's own fallback made, for whatever reason.
    pub fallbacks: u64,
    /// Picks that had no opinion.
    pub abstained: u64,
    /// Picks that refused the request.
    pub rejected: u64,
    /// Policies that are asked beside it, and not obeyed.
    pub shadows: Vec<ShadowSnapshot>,
    /// The policy that decides for a share of the requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanarySnapshot>,
}

/// A policy that is asked and not obeyed. Counts since its version stands there, for the candidates
/// that there are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ShadowSnapshot {
    /// Its name.
    pub policy: String,
    /// Its version.
    pub version: String,
    /// Picks that it was asked for.
    pub picks: u64,
    /// Those in which it named whom the gateway chose.
    pub agreed: u64,
    /// Mean time of one of its picks, nanoseconds.
    pub pick_ns: u64,
    /// For each candidate how often it would have been chosen.
    pub chosen: BTreeMap<String, u64>,
    /// Most of these relative to what the weights are for; 1 is perfect.
    pub imbalance: f64,
    /// Faults. Each ends it in one worker until the next reload.
    pub faults: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<String>,
}

/// A policy that decides for a share of the requests.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CanarySnapshot {
    /// Its name.
    pub policy: String,
    /// Its version.
    pub version: String,
    /// `trying`, `promoted` (it decides for all) or `returned` (for none).
    pub state: &'static str,
    /// Why it stands there, if it is not by configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Share of the requests that it decides for now, 0 to 1.
    pub share: f64,
    /// Attempts whose backends it chose.
    pub canary: ArmSnapshot,
    /// Attempts of the policy that it is compared with.
    pub main: ArmSnapshot,
}

impl CanarySnapshot {
    /// What `state` can be.
    pub const STATES: [&'static str; 3] = ["trying", "promoted", "returned"];
}

/// Attempts whose backends one policy chose.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ArmSnapshot {
    /// Attempts ended.
    pub attempts: u64,
    /// Those that failed, and requests that the policy refused.
    pub failures: u64,
    /// Mean response time of the others, microseconds.
    pub mean_us: f64,
}

/// Who picks for an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyState {
    /// The policy that is configured.
    #[default]
    Serving,
    /// It had too many faults and is out: its last good version picks (`version` says which), or,
    /// without one (`version` is empty), the gateway's own fallback.
    Quarantined,
    /// The gateway's own fallback, for want of an instance.
    Fallback,
}

impl PolicyState {
    pub(super) const ALL: [Self; 3] = [Self::Serving, Self::Quarantined, Self::Fallback];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Quarantined => "quarantined",
            Self::Fallback => "fallback",
        }
    }
}

/// One backend. What the fields of its numbers mean is said at [`crate::stats::BackendStats`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct BackendSnapshot {
    /// Its name.
    pub name: String,
    /// How it stands: `up`, `down`, `draining`, `failing` (its checks), `ejected` or `trial`.
    pub state: &'static str,
    /// Relative capacity, as configured.
    pub weight: u32,
    /// Percent of that weight that it has now: slow start.
    pub risen: u32,
    /// Only used when no other backend can be.
    pub backup: bool,
    /// Configured as out of service.
    pub down: bool,
    /// It may be chosen now.
    pub candidate: bool,
    /// Attempts begun and not ended.
    pub in_flight: u32,
    /// Most of them at a time; none: no limit.
    pub max_conns: Option<u32>,
    /// Mean response time, microseconds.
    pub latency_us: u32,
    /// Mean age of what is in flight, microseconds.
    pub age_us: u32,
    /// Decayed share of failed attempts, parts per million.
    pub failures_ppm: u32,
    /// Attempts begun.
    pub attempts: u64,
    /// Attempts ended, by how they ended.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// How often it was ejected.
    pub ejections: u64,
    /// How often it came back after that.
    pub returns: u64,
    /// Active checks that it passed.
    pub checks_passed: u64,
    /// Active checks that it failed.
    pub checks_failed: u64,
}

impl CertificateSnapshot {
    /// Describes a certificate, and why its changed file was not taken up.
    #[must_use]
    pub fn of(identity: &Identity, problem: Option<&str>) -> Self {
        let facts = &identity.facts;
        Self {
            file: identity.chain.display().to_string(),
            names: facts.names.iter().map(ToString::to_string).collect(),
            issuer: facts.issuer.to_string(),
            serial: facts.serial.to_string(),
            sha256: identity.fingerprint.to_string(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            problem: problem.map(str::to_owned),
        }
    }
}

impl BackendSnapshot {
    /// Reads a backend's numbers at time `now` (on the clock of [`crate::stats::clock`]).
    #[must_use]
    pub fn of(backend: &Backend, candidate: bool, upstream: &UpstreamStats, now: u64) -> Self {
        let stats = &backend.stats;
        let in_flight = stats.in_flight();
        let verdicts: BTreeMap<_, _> =
            Verdict::ALL.into_iter().map(|verdict| (verdict.name(), stats.total(verdict))).collect();
        let condition = &backend.condition;
        let (checks_passed, checks_failed) = condition.checks();
        Self {
            name: backend.name.to_string(),
            state: backend.state().name(),
            weight: backend.weight,
            risen: backend.rising_weight(now).map_or(100, |hundredths| hundredths / backend.weight.max(1)),
            backup: backend.backup,
            down: backend.down,
            candidate,
            in_flight,
            max_conns: backend.max_conns,
            latency_us: stats.latency(upstream, now),
            age_us: stats.age(now),
            failures_ppm: stats.failures(now),
            attempts: verdicts.values().sum::<u64>() + u64::from(in_flight),
            verdicts,
            ejections: condition.ejections(),
            returns: condition.returns(),
            checks_passed,
            checks_failed,
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::stats::Outcome;

    fn backend() -> Backend {
        let address = "10.0.0.7:8001";
        Backend { weight: 3, ..Backend::new(address, address.parse().unwrap(), 0) }
    }

    #[test]
    fn a_backend_is_shown_with_what_was_counted_for_it() {
        let (backend, upstream) = (backend(), UpstreamStats::default());
        for verdict in [Verdict::Success, Verdict::Broken] {
            let outcome = Outcome { verdict, status: 0, connect: 0, first_byte: 0, total: 9_000, now: 5 };
            backend.stats.record(&outcome, &upstream);
        }
        let shown = BackendSnapshot::of(&backend, true, &upstream, 5);
        assert_eq!((shown.name.as_str(), shown.weight, shown.candidate), ("10.0.0.7:8001", 3, true));
        assert_eq!((shown.attempts, shown.verdicts["broken"], shown.verdicts["success"]), (2, 1, 1));
        assert_eq!(shown.failures_ppm, 50_000);
        assert!(shown.latency_us.abs_diff(9_000) < 50);
    }

    #[test]
    fn a_snapshot_is_json_in_the_words_of_the_gateway() {
        let policy = PolicySnapshot { state: PolicyState::Quarantined, ..PolicySnapshot::default() };
        let upstreams = vec![UpstreamSnapshot { policy, ..UpstreamSnapshot::default() }];
        let json = serde_json::to_value(Snapshot { upstreams, ..Snapshot::default() }).unwrap();
        assert_eq!(json["upstreams"][0]["policy"]["state"], "quarantined");
        assert_eq!(json["requests"]["5xx"], 0);
    }

    #[test]
    fn a_state_has_one_name_everywhere() {
        for state in PolicyState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
