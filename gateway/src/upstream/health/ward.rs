//! The backends of an upstream together: who goes, who may come back.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::Ejection;
use crate::stats::{Outcome, Verdict};
use crate::upstream::Backend;

/// A trial waits so long for a request that may be sent twice; after that it takes any.
const PATIENCE: u64 = 5_000_000;
/// When nobody could be tried now, it is looked again after this, microseconds.
const LATER: u64 = 100_000;

/// The health of one upstream, kept over generations. Requests read one number of it; everything
/// else happens when something fails.
#[derive(Debug)]
pub struct Health {
    upstream: Arc<str>,
    /// When the next ejected backend may be tried; `u64::MAX` when there is none.
    trial_at: AtomicU64,
    /// Decisions about an upstream are taken one after another: the share must hold.
    order: Mutex<()>,
    /// Rung when the candidates may have changed.
    bell: Sender<()>,
}

/// The backends that a generation has for an upstream, with its rules.
#[derive(Clone, Copy, Debug)]
pub struct Ward<'a> {
    /// All of them, in the order of the configuration.
    pub backends: &'a [Arc<Backend>],
    /// When a backend that fails is ejected; none: never.
    pub ejection: Option<&'a Ejection>,
}

impl Ward<'_> {
    /// In service beside this backend, itself included: how many, and how many of them are ejected.
    fn tier_of(&self, backend: &Backend) -> (usize, usize) {
        let peers = self.backends.iter().filter(|peer| peer.backup == backend.backup && peer.is_in_service());
        peers.fold((0, 0), |(all, out), peer| (all + 1, out + usize::from(peer.condition.is_ejected())))
    }

    fn primaries_serve(&self) -> bool {
        self.backends.iter().any(|peer| !peer.backup && peer.is_in_service() && peer.condition.is_well())
    }
}

/// Did the gateway get no answer, or one by which a gateway says so (502, 503, 504)? What Envoy
/// calls a gateway failure.
fn is_gateway_error(outcome: &Outcome) -> bool {
    match outcome.verdict {
        Verdict::ConnectFailed | Verdict::TimedOut | Verdict::Broken => true,
        Verdict::ServerError => matches!(outcome.status, 502..=504),
        Verdict::Success | Verdict::Cancelled => false,
    }
}

impl Health {
    /// Everybody is well. `bell` is rung when the candidates may have changed.
    #[must_use]
    pub fn new(upstream: Arc<str>, bell: Sender<()>) -> Self {
        Self { upstream, trial_at: AtomicU64::new(u64::MAX), order: Mutex::default(), bell }
    }

    /// From when on [`Health::take_trial`] is worth asking.
    #[must_use]
    pub fn trial_at(&self) -> u64 {
        self.trial_at.load(Relaxed)
    }

    /// Learns how an attempt at a backend ended. `unsuccessful`: in the sense of nginx's
    /// `proxy_next_upstream`, which is what `max_fails` counts. Costs two loads when all is well.
    pub fn note(&self, ward: Ward<'_>, index: usize, outcome: &Outcome, trial: bool, unsuccessful: bool) {
        let backend = &ward.backends[index];
        if outcome.verdict == Verdict::Cancelled {
            if trial {
                self.give_up_trial(backend, outcome.now);
            }
        } else if is_gateway_error(outcome) || unsuccessful {
            self.note_failure(ward, backend, outcome, trial, unsuccessful);
        } else {
            backend.condition.forgive();
            if !backend.condition.is_open() {
                self.note_recovery(backend, outcome.now.saturating_sub(outcome.total.into()), outcome.now);
            }
        }
    }

    /// A backend on trial has begun to answer well: that is enough.
    pub fn pass_trial(&self, backend: &Backend, now: u64) {
        let _order = self.order();
        if backend.condition.is_ejected() {
            self.bring_back(backend, now);
        }
    }

    /// Lets one request try a backend whose time is up, if there is one: its index. Only one at a
    /// time tries it. `repeatable`: the request may be sent a second time, so that a failure costs
    /// nobody anything. `may` says whom this request can try at all.
    pub fn take_trial(
        &self,
        ward: Ward<'_>,
        now: u64,
        repeatable: bool,
        may: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let _order = self.order();
        let (mut taken, mut next) = (None, u64::MAX);
        for (index, backend) in ward.backends.iter().enumerate() {
            let condition = &backend.condition;
            if !condition.is_ejected() || condition.is_on_trial() {
                continue;
            }
            let until = condition.record().until;
            if until <= now && backend.backup && ward.primaries_serve() {
                // No request comes its way now: it gets its chance when one does.
                self.bring_back(backend, now);
            } else if taken.is_none()
                && until <= now
                && backend.is_in_service()
                && !condition.is_failing()
                && (repeatable || until + PATIENCE <= now)
                && may(index)
            {
                condition.set_on_trial(true);
                taken = Some(index);
            } else {
                next = next.min(until.max(now + LATER));
            }
        }
        self.trial_at.store(next, Relaxed);
        taken
    }

    /// What active checks have found. `why` is for the log.
    pub fn set_failing(&self, backend: &Backend, failing: bool, why: &str, now: u64) {
        if !backend.condition.set_failing(failing) {
            return;
        }
        let (upstream, name) = (&self.upstream, &backend.name);
        if failing {
            tracing::warn!("upstream {upstream}: {name} fails its checks: {why}");
        } else {
            backend.condition.came_back(now);
            tracing::info!("upstream {upstream}: {name} passes its checks again");
        }
        self.ring();
    }

    /// A backend is checked no longer.
    pub fn forget_checks(&self, backend: &Backend) {
        if backend.condition.set_failing(false) {
            self.ring();
        }
    }

    /// Takes no new clients to a backend, or takes them again. False: it was so already.
    pub fn set_draining(&self, backend: &Backend, draining: bool, now: u64) -> bool {
        let changed = backend.condition.set_draining(draining);
        if changed {
            if !draining {
                backend.condition.came_back(now);
            }
            let word = if draining { "is being drained" } else { "takes requests again" };
            tracing::info!("upstream {}: {} {word}", self.upstream, backend.name);
            self.ring();
        }
        changed
    }

    fn note_failure(
        &self,
        ward: Ward<'_>,
        backend: &Backend,
        outcome: &Outcome,
        trial: bool,
        unsuccessful: bool,
    ) {
        let _order = self.order();
        let condition = &backend.condition;
        let errors = if is_gateway_error(outcome) { condition.count_error() } else { 0 };
        if condition.is_ejected() && !trial {
            return;
        }
        if let Some(period) = fails_too_often(ward, backend, outcome.now, trial, unsuccessful) {
            return self.eject(ward, backend, period, outcome, "max_fails");
        }
        let Some(ejection) = ward.ejection else {
            if trial {
                self.bring_back(backend, outcome.now);
            }
            return;
        };
        let (all, out) = ward.tier_of(backend);
        if trial || (errors >= ejection.errors && ejection.allows(out, all)) {
            let last = self.last_period(backend, outcome.now, trial);
            self.eject(ward, backend, ejection.period(last), outcome, "errors in a row");
        }
    }

    /// How long it was out last time, unless it has served well for at least as long since.
    fn last_period(&self, backend: &Backend, now: u64, trial: bool) -> Option<Duration> {
        let record = backend.condition.record();
        let last = record.period?;
        let served = Duration::from_micros(now.saturating_sub(record.returned));
        (trial || served < last).then_some(last)
    }

    fn note_recovery(&self, backend: &Backend, began: u64, now: u64) {
        let _order = self.order();
        // An answer to a request from before the ejection says nothing new. One from after it was
        // given because there was nobody else.
        let after = began > backend.condition.record().since;
        if backend.condition.is_ejected() && after {
            self.bring_back(backend, now);
        }
    }

    /// The request that should have tried a backend did not come to it: the next one may.
    pub fn give_up_trial(&self, backend: &Backend, now: u64) {
        let _order = self.order();
        backend.condition.set_on_trial(false);
        self.trial_at.fetch_min(now, Relaxed);
    }

    fn eject(&self, ward: Ward<'_>, backend: &Backend, period: Duration, outcome: &Outcome, rule: &str) {
        let condition = &backend.condition;
        let until = outcome.now.saturating_add(u64::try_from(period.as_micros()).unwrap_or(u64::MAX));
        let mut record = condition.record();
        (record.since, record.until, record.period) = (outcome.now, until, Some(period));
        record.fails = 0;
        drop(record);
        condition.set_ejected(true);
        condition.ejections.fetch_add(1, Relaxed);
        self.trial_at.fetch_min(until, Relaxed);
        let (all, out) = ward.tier_of(backend);
        tracing::warn!(
            "upstream {}: {} is ejected for {period:?} ({rule}; last: {}); {} of {all} are left",
            self.upstream,
            backend.name,
            outcome.verdict.name(),
            all.saturating_sub(out)
        );
        self.ring();
    }

    fn bring_back(&self, backend: &Backend, now: u64) {
        let condition = &backend.condition;
        condition.record().returned = now;
        condition.forgive();
        condition.set_ejected(false);
        condition.came_back(now);
        condition.returns.fetch_add(1, Relaxed);
        tracing::info!("upstream {}: {} is back", self.upstream, backend.name);
        self.ring();
    }

    fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A full bell has been rung already; one that nobody hears belongs to a gateway that ends.
    fn ring(&self) {
        let _ = self.bell.try_send(());
    }
}

/// nginx's `max_fails`: for how long the backend is taken out, if this failure is one too many. A
/// lone backend never is.
fn fails_too_often(
    ward: Ward<'_>,
    backend: &Backend,
    now: u64,
    trial: bool,
    unsuccessful: bool,
) -> Option<Duration> {
    let passive = backend.passive;
    if !unsuccessful || passive.max_fails == 0 || ward.backends.len() < 2 {
        return None;
    }
    let window = u64::try_from(passive.fail_timeout.as_micros()).unwrap_or(u64::MAX);
    let mut record = backend.condition.record();
    if record.fails == 0 || now.saturating_sub(record.first_fail) > window {
        (record.fails, record.first_fail) = (0, now);
    }
    record.fails += 1;
    (trial || record.fails >= passive.max_fails).then_some(passive.fail_timeout)
}

#[cfg(test)]
mod tests;
