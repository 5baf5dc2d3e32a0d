//! What outlives generations.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use super::names::Names;
use crate::config::model;
use crate::forward::{ConnectionLimit, Limits, RateLimit};
use crate::limit::{AtOnce, Rates, Tally};
use crate::policy::{CanaryBook, CanaryRules, Policy, Roster, Rules, ShadowBook};
use crate::stats::{BackendStats, UpstreamStats, clock};
use crate::upstream::health::{Condition, Health};
use crate::upstream::{Backend, Candidates, Identity, Protocol, Queue, Resolver, Sessions, Tls, TlsSettings};

/// Everything that a reload must not reset: statistics, health, resolved names, connection pools,
/// and the books on policies. What no generation names any more is forgotten with the next commit.
#[derive(Clone, Debug)]
pub(super) struct Known {
    backends: HashMap<Identity, Lasting>,
    upstreams: HashMap<Arc<str>, LastingUpstream>,
    shadows: HashMap<Arc<str>, Vec<Arc<ShadowBook>>>,
    canaries: HashMap<Arc<str>, Arc<CanaryBook>>,
    rates: HashMap<Box<str>, (Kept, Arc<Rates>, Arc<Tally>)>,
    counts: HashMap<Box<str>, (Kept, Arc<AtOnce>, Arc<Tally>)>,
    /// What names stand for.
    pub(super) names: Names,
    /// Rung when somebody's health changes.
    bell: Sender<()>,
    /// Slots are never used twice: a connection that a late request gives back must not end up
    /// in another backend's pool.
    next_slot: usize,
}

/// What makes the state of a limit fit a changed configuration: the text of its key and its size.
type Kept = (String, usize);

/// What outlives generations of one upstream.
#[derive(Clone, Debug)]
pub(super) struct LastingUpstream {
    pub(super) stats: Arc<UpstreamStats>,
    pub(super) roster: Arc<Roster>,
    pub(super) health: Arc<Health>,
    pub(super) queue: Arc<Queue>,
    pub(super) sessions: Arc<Sessions>,
}

#[derive(Clone, Debug)]
struct Lasting {
    stats: Arc<BackendStats>,
    condition: Arc<Condition>,
    resolver: Arc<Resolver>,
    slot: usize,
    way: Way,
    tls: Option<Arc<Tls>>,
}

/// How the backends of an upstream are talked to.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) tls: Option<TlsSettings>,
    pub(super) protocol: Protocol,
}

impl Way {
    fn is_like(&self, other: &Self) -> bool {
        let tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_like(other),
            _ => false,
        };
        tls && self.protocol == other.protocol
    }
}

impl Default for Known {
    /// Nothing is known, and nobody wants to hear of changes.
    fn default() -> Self {
        Self::new(bounded(1).0)
    }
}

impl Known {
    /// Nothing is known yet. `bell` is rung when somebody's health changes.
    pub(super) fn new(bell: Sender<()>) -> Self {
        Self {
            backends: HashMap::new(),
            upstreams: HashMap::new(),
            shadows: HashMap::new(),
            canaries: HashMap::new(),
            rates: HashMap::new(),
            counts: HashMap::new(),
            names: Names::new(),
            bell,
            next_slot: 0,
        }
    }

    /// The backend that the configuration describes, with what is known of it. If it is talked to
    /// in another way than before, its connections are left behind. One that joins a gateway that
    /// runs (`joins`, the present) starts slowly if it is to.
    ///
    /// # Errors
    /// TLS cannot be spoken with it as it is configured.
    pub(super) fn backend(
        &mut self,
        upstream: &Arc<str>,
        configured: &model::Backend,
        way: &Way,
        joins: Option<u64>,
    ) -> Result<Arc<Backend>, String> {
        let identity = Identity { upstream: Arc::clone(upstream), backend: configured.name.clone() };
        let earlier = self.backends.get(&identity);
        let lasting = match earlier {
            Some(earlier) if earlier.way.is_like(way) => earlier.clone(),
            _ => {
                let tls = way.tls.as_ref().map(|tls| Tls::new(tls, &configured.address, way.protocol));
                self.next_slot += 1;
                Lasting {
                    condition: earlier
                        .map_or_else(|| condition(joins), |earlier| Arc::clone(&earlier.condition)),
                    stats: earlier.map(|earlier| Arc::clone(&earlier.stats)).unwrap_or_default(),
                    resolver: earlier.map_or_else(
                        || Resolver::new(&configured.address),
                        |earlier| Arc::clone(&earlier.resolver),
                    ),
                    slot: self.next_slot - 1,
                    way: way.clone(),
                    tls: tls.transpose()?,
                }
            }
        };
        self.backends.insert(identity, lasting.clone());
        Ok(Arc::new(Backend {
            name: (&*configured.name).into(),
            address: configured.address.clone(),
            resolver: lasting.resolver,
            tls: lasting.tls,
            weight: configured.weight,
            backup: configured.backup,
            down: configured.down,
            drain: configured.drain,
            passive: configured.passive,
            max_conns: configured.max_conns,
            slow_start: configured.slow_start,
            zone: configured.zone.clone(),
            labels: configured.labels.clone(),
            stats: lasting.stats,
            condition: lasting.condition,
            slot: lasting.slot,
        }))
    }

    /// TLS towards the backends of an upstream, as it is in force.
    pub(super) fn tls(&self, upstream: &str) -> Option<&TlsSettings> {
        let mut backends = self.backends.iter().filter(|(identity, _)| &*identity.upstream == upstream);
        backends.find_map(|(_, lasting)| lasting.way.tls.as_ref())
    }

    /// Takes up changed files of TLS towards the backends of an upstream. Connections that stand
    /// stay: they were made with what was right then.
    ///
    /// # Errors
    /// What the settings cannot do.
    pub(super) fn renew_tls(&mut self, upstream: &str, settings: &TlsSettings) -> Result<(), String> {
        for (identity, lasting) in &mut self.backends {
            if &*identity.upstream == upstream
                && let Some(tls) = &lasting.tls
            {
                tls.renew(settings)?;
                lasting.way.tls = Some(settings.clone());
            }
        }
        Ok(())
    }

    /// What is known of the upstream as a whole, and the book on its policy.
    pub(super) fn upstream(&mut self, name: &Arc<str>, rules: Rules, workers: usize) -> LastingUpstream {
        let bell = &self.bell;
        let entry = self.upstreams.entry(Arc::clone(name));
        let lasting = entry.or_insert_with(|| LastingUpstream {
            stats: Arc::default(),
            roster: Arc::new(Roster::new(Arc::clone(name), rules, workers)),
            health: Arc::new(Health::new(Arc::clone(name), bell.clone())),
            queue: Arc::default(),
            sessions: Arc::default(),
        });
        lasting.clone()
    }

    /// All limits that are configured, with what is known of their keys.
    pub(super) fn limits(&mut self, config: &model::Config) -> Limits {
        let (old_rates, old_counts) = (std::mem::take(&mut self.rates), std::mem::take(&mut self.counts));
        let rates = config.rate_limits.iter().map(|limit| {
            let kept = (limit.key.to_string(), limit.keys);
            let known = old_rates.get(&limit.name).filter(|(old, ..)| *old == kept).cloned();
            let known = known.unwrap_or_else(|| (kept, Arc::new(Rates::new(limit.keys)), Arc::default()));
            let (_, rates, tally) = self.rates.entry(limit.name.clone()).or_insert(known);
            let (name, key, rule) = (limit.name.clone(), limit.key.clone(), limit.rule);
            let (rates, tally) = (Arc::clone(rates), Arc::clone(tally));
            Arc::new(RateLimit {
                name,
                key,
                rule,
                status: limit.status,
                dry_run: limit.dry_run,
                rates,
                tally,
            })
        });
        let rates = rates.collect();
        let at_once = config.connection_limits.iter().map(|limit| {
            let kept = (limit.key.to_string(), limit.keys);
            let known = old_counts.get(&limit.name).filter(|(old, ..)| *old == kept).cloned();
            let known = known.unwrap_or_else(|| (kept, AtOnce::new(limit.keys), Arc::default()));
            let (_, counts, tally) = self.counts.entry(limit.name.clone()).or_insert(known);
            let (name, key, max) = (limit.name.clone(), limit.key.clone(), limit.max);
            let (counts, tally) = (Arc::clone(counts), Arc::clone(tally));
            Arc::new(ConnectionLimit {
                name,
                key,
                max,
                status: limit.status,
                dry_run: limit.dry_run,
                counts,
                tally,
            })
        });
        Limits { rates, at_once: at_once.collect() }
    }

    /// The book on a shadow of an upstream; the one there is, if nothing about it has changed.
    pub(super) fn shadow(
        &mut self,
        candidates: &Candidates,
        policy: &Arc<Policy>,
        options: &str,
        workers: usize,
    ) -> Arc<ShadowBook> {
        let names: Box<[Arc<str>]> = candidates.backends.iter().map(|b| Arc::clone(&b.name)).collect();
        let books = self.shadows.entry(Arc::clone(&candidates.upstream)).or_default();
        if let Some(book) = books.iter().find(|book| book.fits(policy, options, &names, workers)) {
            return Arc::clone(book);
        }
        books.retain(|book| book.policy().name() != policy.name());
        let book = Arc::new(ShadowBook::new(Arc::clone(policy), options, names, workers));
        books.push(Arc::clone(&book));
        book
    }

    /// The book on the canary of an upstream; the one there is, if nothing about it has changed.
    pub(super) fn canary(
        &mut self,
        upstream: &Arc<str>,
        policy: &Arc<Policy>,
        options: &str,
        rules: CanaryRules,
    ) -> Arc<CanaryBook> {
        if let Some(book) = self.canaries.get(upstream).filter(|book| book.fits(policy, options, &rules)) {
            return Arc::clone(book);
        }
        let (name, policy) = (Arc::clone(upstream), Arc::clone(policy));
        let book = Arc::new(CanaryBook::new(name, policy, options, rules, clock::now()));
        self.canaries.insert(Arc::clone(upstream), Arc::clone(&book));
        book
    }

    /// Forgets what is not in `upstreams` or does not satisfy `keep`.
    pub(super) fn retain(&mut self, upstreams: &[Arc<str>], keep: impl Fn(usize) -> bool) {
        self.upstreams.retain(|name, _| upstreams.contains(name));
        self.shadows.retain(|name, _| upstreams.contains(name));
        self.canaries.retain(|name, _| upstreams.contains(name));
        self.backends.retain(|_, lasting| keep(lasting.slot));
    }
}

fn condition(joins: Option<u64>) -> Arc<Condition> {
    let condition = Arc::<Condition>::default();
    if let Some(now) = joins {
        condition.came_back(now);
    }
    condition
}
