//! What the admin pages show: everything at one moment.

use std::sync::atomic::Ordering::Relaxed;

use super::build::{Making, Understudy};
use super::control::Control;
use crate::admin::{
    ArmSnapshot, BackendSnapshot, CanarySnapshot, CertificateSnapshot, Connections, LimitSnapshot,
    ListenerSnapshot, PolicySnapshot, PolicyState, QueueSnapshot, Requests, ShadowSnapshot, Snapshot,
    TlsSnapshot, UpstreamSnapshot,
};
use crate::certificate::Identity;
use crate::config::model;
use crate::forward::{Limits, Sticky, Upstream};
use crate::limit::Tally;
use crate::observe::AccessLog;
use crate::policy::{ArmTotals, CanaryBook, CanaryState, FaultKind, ShadowBook};
use crate::stats::clock;

/// Takes the picture. `started` in seconds since 1970.
pub(super) fn take(control: &Control, started: u64, draining: bool) -> Snapshot {
    let generation = control.generation();
    let (connections, requests) = clients(control);
    let upstreams = generation
        .upstreams
        .iter()
        .zip(control.makings())
        .map(|(upstream, making)| picture(control, upstream, making));
    Snapshot {
        version: env!("CARGO_PKG_VERSION"),
        started,
        generation: generation.number,
        draining,
        workers: control.config().workers.get(),
        connections,
        requests,
        limits: limits(&generation.limits),
        access_log_lines_dropped: control.access_log().map_or(0, AccessLog::dropped),
        listeners: control.config().listen.iter().map(|listener| listened(control, listener)).collect(),
        upstreams: upstreams.collect(),
    }
}

fn limits(limits: &Limits) -> Vec<LimitSnapshot> {
    let picture = |section: &str, name: &str, tally: &Tally| LimitSnapshot {
        name: format!("{section}.{name}"),
        delayed: tally.delayed.load(Relaxed),
        refused: tally.refused.load(Relaxed),
    };
    let rates = limits.rates.iter().map(|limit| picture("rate_limit", &limit.name, &limit.tally));
    let at_once = limits.at_once.iter().map(|limit| picture("connection_limit", &limit.name, &limit.tally));
    rates.chain(at_once).collect()
}

fn listened(control: &Control, listener: &model::Listen) -> ListenerSnapshot {
    let tls = control.terminators().get(&listener.address).and_then(|terminator| {
        let terms = terminator.terms().clone()?;
        let mut certificates: Vec<CertificateSnapshot> = Vec::new();
        for certificate in terms.settings.identities.iter().map(|identity| shown(control, identity)) {
            // One that is listed twice is still one.
            if certificates.iter().all(|other| other.sha256 != certificate.sha256) {
                certificates.push(certificate);
            }
        }
        Some(TlsSnapshot { certificates, handshakes: terminator.counts.all().into() })
    });
    ListenerSnapshot { address: listener.address.to_string(), tls }
}

fn shown(control: &Control, identity: &Identity) -> CertificateSnapshot {
    CertificateSnapshot::of(identity, control.flaw(&identity.chain))
}

fn clients(control: &Control) -> (Connections, Requests) {
    let (mut connections, mut classes) = (Connections::default(), [0u64; 5]);
    for traffic in control.crew().into_iter().flat_map(|crew| crew.traffic()) {
        connections.open += traffic.open.load(Relaxed);
        connections.accepted += traffic.accepted.load(Relaxed);
        for (sum, answers) in classes.iter_mut().zip(&traffic.answers) {
            *sum += answers.load(Relaxed);
        }
    }
    let [informational, success, redirect, client_error, server_error] = classes;
    (connections, Requests { informational, success, redirect, client_error, server_error })
}

fn picture(control: &Control, upstream: &Upstream, making: &Making) -> UpstreamSnapshot {
    let now = clock::now();
    let candidate = |slot| making.candidates.backends.iter().any(|backend| backend.slot == slot);
    let backends = upstream.backends.iter();
    UpstreamSnapshot {
        name: upstream.name.to_string(),
        policy: policy(making),
        certificate: control
            .known()
            .tls(&upstream.name)
            .and_then(|tls| Some(shown(control, tls.identity.as_ref()?))),
        panic: making.candidates.panic,
        queue: QueueSnapshot::of(upstream.queue.totals()),
        sessions: sessions(upstream),
        retries: upstream.stats.retries().0,
        retries_denied: upstream.stats.retries().1,
        backends: backends
            .map(|backend| BackendSnapshot::of(backend, candidate(backend.slot), &upstream.stats, now))
            .collect(),
    }
}

fn sessions(upstream: &Upstream) -> usize {
    match &upstream.sticky {
        Some(Sticky::Learnt(learnt)) => learnt.sessions.count(),
        _ => 0,
    }
}

fn policy(making: &Making) -> PolicySnapshot {
    let book = making.roster.snapshot();
    let present = (making.policy.name(), making.policy.version());
    let out = book.quarantined.iter().any(|quarantine| quarantine.is(&making.policy));
    let state = match &book.serving {
        _ if out => PolicyState::Quarantined,
        Some(serving) if (serving.name(), serving.version()) == present => PolicyState::Serving,
        _ => PolicyState::Fallback,
    };
    let version = book.serving.as_ref().map_or("", |policy| policy.version());
    PolicySnapshot {
        name: making.policy.name().to_owned(),
        version: version.to_owned(),
        state,
        picks: book.totals.picks,
        pick_ns: book.totals.mean_nanos().unwrap_or(0),
        faults: FaultKind::ALL.into_iter().map(|kind| (kind.name(), book.faults[kind as usize])).collect(),
        re_picks: book.totals.repicks,
        fallbacks: book.totals.fallbacks,
        abstained: book.totals.abstained,
        rejected: book.totals.rejected,
        shadows: making.shadows.iter().map(|shadow| shadowed(making, shadow)).collect(),
        canary: making.canary.as_ref().map(|canary| tried_out(&canary.book)),
    }
}

fn shadowed(making: &Making, shadow: &Understudy<ShadowBook>) -> ShadowSnapshot {
    let weights: Vec<u32> = making.candidates.backends.iter().map(|backend| backend.weight).collect();
    let totals = shadow.book.totals(&weights);
    ShadowSnapshot {
        policy: shadow.policy.name().to_owned(),
        version: shadow.policy.version().to_owned(),
        picks: totals.picks,
        agreed: totals.agreed,
        pick_ns: totals.nanos,
        chosen: totals.chosen.into_iter().map(|(name, count)| (name.to_string(), count)).collect(),
        imbalance: totals.imbalance,
        faults: totals.faults,
        last_fault: totals.last_fault,
    }
}

fn tried_out(book: &CanaryBook) -> CanarySnapshot {
    let now = book.snapshot();
    let arm = |totals: ArmTotals| ArmSnapshot {
        attempts: totals.attempts,
        failures: totals.failures,
        mean_us: totals.mean().round(),
    };
    CanarySnapshot {
        policy: now.policy.name().to_owned(),
        version: now.policy.version().to_owned(),
        state: now.state.name(),
        share: match now.state {
            CanaryState::Trying => now.rules.share,
            CanaryState::Promoted => 1.0,
            CanaryState::Returned => 0.0,
        },
        why: now.why,
        canary: arm(now.canary),
        main: arm(now.main),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_has_the_states_that_metrics_show() {
        assert_eq!(CanaryState::ALL.map(CanaryState::name), CanarySnapshot::STATES);
    }
}
