//! Holding requests to the limits of their route.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use smallvec::SmallVec;

use super::answer::Refusal;
use super::story::Story;
use crate::limit::{Answer, AtOnce, Presence, Rates, Rule, Taken, Tally, hash};
use crate::stats::clock;
use crate::template::Template;

/// The limits of a route; every request must keep all of them.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// How many requests in a time.
    pub rates: Vec<Arc<RateLimit>>,
    /// How many requests at once.
    pub at_once: Vec<Arc<ConnectionLimit>>,
}

/// How many requests in a time, by key (nginx `limit_req`).
#[derive(Debug)]
pub struct RateLimit {
    /// Its name.
    pub name: Box<str>,
    /// What requests are told apart by; those without a key are not limited.
    pub key: Template,
    /// What holds for each key.
    pub rule: Rule,
    /// What a client gets that is refused.
    pub status: StatusCode,
    /// Only count and log (nginx `limit_req_dry_run`).
    pub dry_run: bool,
    /// The buckets; they survive reloads.
    pub rates: Arc<Rates>,
    /// What it has done.
    pub tally: Arc<Tally>,
}

/// How many requests at once, by key (nginx `limit_conn`).
#[derive(Debug)]
pub struct ConnectionLimit {
    /// Its name.
    pub name: Box<str>,
    /// What requests are told apart by; those without a key are not limited.
    pub key: Template,
    /// Most requests at once, for each key.
    pub max: u64,
    /// What a client gets that is refused.
    pub status: StatusCode,
    /// Only count and log (nginx `limit_conn_dry_run`).
    pub dry_run: bool,
    /// The counts; they survive reloads.
    pub counts: Arc<AtOnce>,
    /// What it has done.
    pub tally: Arc<Tally>,
}

impl Limits {
    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty() && self.at_once.is_empty()
    }
}

impl Story {
    /// Waits for the request's turn, or refuses it. What it holds from here on is counted until
    /// its answer has ended.
    pub(super) async fn hold_to(&mut self, limits: &Limits) -> Result<(), Refusal> {
        let wait = self.ask_rates(&limits.rates)?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let held: Result<Vec<_>, _> =
            limits.at_once.iter().filter_map(|limit| self.enter(limit).transpose()).collect();
        self.held = held?.into();
        Ok(())
    }

    /// Asks all rates; if one refuses, none of them has counted the request.
    fn ask_rates(&self, rates: &[Arc<RateLimit>]) -> Result<Duration, Refusal> {
        let mut longest = Duration::ZERO;
        let mut taken: SmallVec<[(&RateLimit, Taken); 4]> = SmallVec::new();
        for limit in rates {
            let Some(key) = self.key_of(&limit.key) else { continue };
            match limit.rates.ask(key, clock::now(), limit.rule) {
                Answer::Pass(wait, place) => {
                    taken.push((&**limit, place));
                    if !wait.is_zero() {
                        limit.tally.delayed.fetch_add(1, Relaxed);
                    }
                    longest = longest.max(if limit.dry_run { Duration::ZERO } else { wait });
                }
                Answer::Refused(wait) => {
                    let refusal = Refusal::too_many(limit.status, "rate_limit", &limit.name, Some(wait));
                    if let Some(refusal) = self.refused(refusal, limit.dry_run, &limit.tally.refused) {
                        taken.iter().for_each(|(limit, place)| limit.rates.give_back(*place, limit.rule));
                        return Err(refusal);
                    }
                }
            }
        }
        Ok(longest)
    }

    fn enter(&self, limit: &ConnectionLimit) -> Result<Option<Presence>, Refusal> {
        let Some(key) = self.key_of(&limit.key) else { return Ok(None) };
        limit.counts.enter(key, limit.max).map(Some).or_else(|_| {
            let refusal = Refusal::too_many(limit.status, "connection_limit", &limit.name, None);
            match self.refused(refusal, limit.dry_run, &limit.tally.refused) {
                Some(refusal) => Err(refusal),
                None => Ok(None),
            }
        })
    }

    /// Counts a refusal; if it is only a trial it is logged, and the request goes on.
    fn refused(&self, refusal: Refusal, dry_run: bool, count: &AtomicU64) -> Option<Refusal> {
        count.fetch_add(1, Relaxed);
        if !dry_run {
            return Some(refusal);
        }
        self.log_refusal(&refusal, " (dry run: it was let in)");
        None
    }

    /// The hash of a key; none if the key is empty.
    fn key_of(&self, key: &Template) -> Option<u64> {
        self.worker.with_scratch(|bytes| {
            key.render(self, bytes);
            (!bytes.is_empty()).then(|| hash(bytes))
        })
    }
}
