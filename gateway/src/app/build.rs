//! From a checked configuration to a generation that is ready to be put in force.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::known::{Known, LastingUpstream, Way};
use super::{Shelf, listeners, names, sticky};
use crate::config::{Loaded, Place, Problems, model};
use crate::forward::{Generation, Limits, Pages, Route, Upstream};
use crate::observe::AccessLog;
use crate::policy::recording::Recorder;
use crate::policy::{
    Beside, Birth, Canary, CanaryBook, Engine, Instance, Limits as Budget, Policy, Report, Roster, Rules,
    Shadow, ShadowBook, try_out,
};
use crate::route::Table;
use crate::stats::clock;
use crate::template::Variable;
use crate::upstream::{Backend, Candidates, Settings};

/// A generation, and for each upstream what its pickers are made of. Every policy in it has been
/// tried with its real options and candidates.
#[derive(Debug)]
pub struct Plan {
    pub(super) generation: Arc<Generation>,
    pub(super) makings: Vec<Making>,
    pub(super) known: Known,
}

/// What the pickers of one upstream are made of.
#[derive(Clone, Debug)]
pub(super) struct Making {
    pub(super) upstream: Arc<str>,
    pub(super) policy: Arc<Policy>,
    pub(super) options: String,
    pub(super) limits: Budget,
    pub(super) rules: Rules,
    pub(super) candidates: Arc<Candidates>,
    pub(super) roster: Arc<Roster>,
    pub(super) report: Report,
    pub(super) shadows: Vec<Understudy<ShadowBook>>,
    pub(super) shadow_share: f64,
    pub(super) canary: Option<Understudy<CanaryBook>>,
}

/// A policy that stands beside the one that serves: what its instances are made of, and its book.
#[derive(Debug)]
pub(super) struct Understudy<B> {
    pub(super) policy: Arc<Policy>,
    pub(super) options: String,
    pub(super) book: Arc<B>,
}

impl<B> Clone for Understudy<B> {
    fn clone(&self) -> Self {
        let (policy, book) = (Arc::clone(&self.policy), Arc::clone(&self.book));
        Self { policy, options: self.options.clone(), book }
    }
}

impl Making {
    /// A new instance of `policy` for one worker.
    pub(super) fn instance(
        &self,
        policy: &Arc<Policy>,
        seed: u64,
        state: Option<&[u8]>,
    ) -> Result<Instance, crate::policy::BirthError> {
        policy.instantiate(self.birth(seed, state))
    }

    /// The policy of this name, if it is one of those here.
    fn named(&self, name: &str) -> Option<Arc<Policy>> {
        let shadows = self.shadows.iter().map(|shadow| &shadow.policy);
        let canary = self.canary.iter().map(|canary| &canary.policy);
        let mut all = std::iter::once(&self.policy).chain(shadows).chain(canary);
        all.find(|policy| policy.name() == name).map(Arc::clone)
    }

    /// What an instance for one worker is born with.
    pub(super) fn birth<'a>(&'a self, seed: u64, state: Option<&'a [u8]>) -> Birth<'a> {
        let (options, candidates) = (self.options.as_str(), Arc::clone(&self.candidates));
        Birth { options, candidates, seed, state, limits: self.limits }
    }

    /// Who stands beside the policy in one worker, besides a recorder. `seed` gives each a seed.
    pub(super) fn beside(&self, worker: usize, recorder: Option<Recorder>, seed: impl Fn() -> u64) -> Beside {
        let shadows = self.shadows.iter().filter_map(|shadow| {
            let instance = self.understudy(shadow, seed())?;
            Some(Shadow::new(instance, Arc::clone(&shadow.book), worker, self.shadow_share, seed()))
        });
        let canary = self.canary.as_ref().and_then(|canary| {
            let instance = self.understudy(canary, seed())?;
            Some(Canary::new(instance, Arc::clone(&canary.book), seed()))
        });
        Beside::new(recorder, canary, shadows.collect())
    }

    /// An instance of a policy that was tried; should it fail all the same, nobody stands there.
    fn understudy<B>(&self, understudy: &Understudy<B>, seed: u64) -> Option<Instance> {
        let born =
            understudy.policy.instantiate(Birth { options: &understudy.options, ..self.birth(seed, None) });
        let name = understudy.policy.name();
        born.inspect_err(|error| tracing::error!("upstream {}: policy {name}: {error}", self.upstream)).ok()
    }
}

impl Plan {
    /// For each upstream: its name, its policy and what the trial of the policy has shown.
    pub fn trials(&self) -> impl Iterator<Item = (&str, &Policy, &Report)> {
        self.makings.iter().map(|making| (&*making.upstream, &*making.policy, &making.report))
    }
}

/// Plans a first generation, for nobody: what `pointsman check` does after reading.
///
/// # Errors
/// All problems with policies and with TLS.
pub fn plan(loaded: &Loaded, engine: &Engine) -> Result<Plan, Problems> {
    listeners::prepare(&HashMap::new(), loaded)?;
    Builder { loaded, engine, known: Known::default(), number: 1, log: None, in_force: &[] }.plan()
}

/// Tries the policies of a configuration that may be wrong elsewhere, as far as they can be tried.
#[must_use]
pub fn try_policies(loaded: &Loaded, engine: &Engine) -> Problems {
    let builder = Builder { loaded, engine, known: Known::default(), number: 1, log: None, in_force: &[] };
    builder.upstreams().err().unwrap_or_else(|| Problems::new(Arc::clone(&loaded.sources)))
}

/// Why a policy cannot serve: where it is named, what is wrong, and how to mend it.
type Unfit = (Place, String, String);

/// What a plan is made from.
pub(super) struct Builder<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) engine: &'a Engine,
    pub(super) known: Known,
    pub(super) number: u64,
    /// What is not shown there need not be measured.
    pub(super) log: Option<&'a AccessLog>,
    /// Where the policies come from: what is in force, or else the files.
    pub(super) in_force: &'a [Making],
}

impl Builder<'_> {
    pub(super) fn plan(self) -> Result<Plan, Problems> {
        let (loaded, number, log) = (self.loaded, self.number, self.log);
        let (upstreams, makings, mut known) = self.upstreams()?;
        let limits = known.limits(&loaded.config);
        let generation = Arc::new(generation(loaded, number, log, upstreams.into(), limits));
        let backends = generation.upstreams.iter().flat_map(|upstream| &upstream.backends);
        let slots: HashSet<usize> = backends.map(|backend| backend.slot).collect();
        let names: Vec<_> = generation.upstreams.iter().map(|upstream| Arc::clone(&upstream.name)).collect();
        known.retain(&names, |slot| slots.contains(&slot));
        Ok(Plan { generation, makings, known })
    }

    /// All upstreams, with their policies loaded and tried.
    fn upstreams(mut self) -> Result<(Vec<Upstream>, Vec<Making>, Known), Problems> {
        let mut problems = Problems::new(Arc::clone(&self.loaded.sources));
        let config = &self.loaded.config;
        let (mut makings, mut upstreams) = (Vec::new(), Vec::new());
        for configured in &config.upstreams {
            let name: Arc<str> = (&*configured.name).into();
            let lasting = self.known.upstream(&name, rules(&config.sandbox), config.workers.get());
            let upstream = match self.upstream(configured, name, &lasting) {
                Ok(upstream) => upstream,
                Err((place, message)) => {
                    problems.add(place, message, "");
                    continue;
                }
            };
            match self.making(configured, &upstream, lasting.roster) {
                Ok(making) => makings.push(making),
                Err((place, message, help)) => problems.add(place, message, help),
            }
            upstreams.push(upstream);
        }
        if problems.is_empty() { Ok((upstreams, makings, self.known)) } else { Err(problems) }
    }

    fn upstream(
        &mut self,
        configured: &model::Upstream,
        name: Arc<str>,
        lasting: &LastingUpstream,
    ) -> Result<Upstream, (Place, String)> {
        let way = Way { tls: configured.tls.clone(), protocol: configured.protocol };
        let joins = (self.number > 1).then(clock::now);
        let mut backends: Vec<Arc<Backend>> = Vec::new();
        for backend in names::backends(configured, &self.known.names) {
            // Two names may lead to the same place.
            if backends.iter().all(|known| *known.name != *backend.name) {
                let known = self.known.backend(&name, &backend, &way, joins);
                backends.push(known.map_err(|error| (backend.place, error))?);
            }
        }
        let settings = Settings {
            connect_timeout: configured.connect_timeout,
            send_timeout: configured.send_timeout,
            read_timeout: configured.read_timeout,
            // What is said of one client is not true of the next.
            idle_connections: if configured.proxy_protocol.is_some() {
                0
            } else {
                configured.idle_connections
            },
            idle_timeout: configured.idle_timeout,
            proxy_protocol: configured.proxy_protocol,
            tries: configured.tries.map(|tries| u32::try_from(tries.get()).unwrap_or(u32::MAX)),
            protocol: configured.protocol,
            retry: configured.retry.clone(),
            ejection: configured.ejection,
            check: configured.check.clone(),
            panic_threshold: configured.panic_threshold,
            queue: configured.queue,
        };
        let backends: Box<[_]> = backends.into();
        let sticky = configured.sticky.as_ref();
        let sticky = sticky.and_then(|sticky| sticky::sticky(sticky, &name, &backends, &lasting.sessions));
        Ok(Upstream {
            name,
            policy: (&*configured.policy.name).into(),
            settings,
            backends,
            stats: Arc::clone(&lasting.stats),
            health: Arc::clone(&lasting.health),
            queue: Arc::clone(&lasting.queue),
            hash_key: configured.hash_key.clone(),
            redirect: configured.redirect.clone(),
            sticky,
        })
    }

    /// Loads and tries the policy of an upstream.
    fn making(
        &mut self,
        configured: &model::Upstream,
        upstream: &Upstream,
        roster: Arc<Roster>,
    ) -> Result<Making, Unfit> {
        let config = &self.loaded.config;
        let all = Candidates::of(Arc::clone(&upstream.name), Arc::clone(&upstream.stats), &upstream.backends);
        if all.backends.is_empty() {
            // No policy is ever asked to choose from nothing, so this one cannot be tried; but that
            // there is none of its name can be said.
            self.load(&configured.policy)?;
            let message = format!("upstream `{}` has no backend in service", upstream.name);
            return Err((configured.place, message, String::new()));
        }
        let limits = budget(&config.sandbox);
        let all = Arc::new(all);
        let candidates = Arc::new(candidates_now(upstream));
        let (policy, options, report) = self.tried(&configured.policy, &all, limits)?;
        let mut shadows = Vec::new();
        for shadow in &configured.shadows {
            let (policy, options, _) = self.tried(shadow, &all, limits)?;
            let book = self.known.shadow(&candidates, &policy, &options, config.workers.get());
            shadows.push(Understudy { policy, options, book });
        }
        let mut canary = None;
        if let Some(model::Canary { policy, rules }) = &configured.canary {
            let (policy, options, _) = self.tried(policy, &all, limits)?;
            let book = self.known.canary(&upstream.name, &policy, &options, *rules);
            canary = Some(Understudy { policy, options, book });
        }
        Ok(Making {
            upstream: Arc::clone(&upstream.name),
            policy,
            options,
            limits,
            rules: rules(&config.sandbox),
            candidates,
            roster,
            report,
            shadows,
            shadow_share: configured.shadow_share,
            canary,
        })
    }

    fn load(&self, configured: &model::Policy) -> Result<Arc<Policy>, Unfit> {
        if let Some(policy) = self.in_force.iter().find_map(|making| making.named(&configured.name)) {
            return Ok(policy);
        }
        let shelf = Shelf::new(&self.loaded.config.policies);
        let found = shelf.load(self.engine, &configured.name);
        found.map_err(|(message, help)| (configured.place, message, help))
    }

    /// Loads a policy and tries it with its options and the real candidates.
    fn tried(
        &self,
        configured: &model::Policy,
        candidates: &Arc<Candidates>,
        limits: Budget,
    ) -> Result<(Arc<Policy>, String, Report), Unfit> {
        let (place, policy) = (configured.place, self.load(configured)?);
        let options = serde_json::Value::Object(configured.options.clone()).to_string();
        let birth =
            Birth { options: &options, candidates: Arc::clone(candidates), seed: 1, state: None, limits };
        let report = try_out(&policy, &birth).map_err(|error| {
            let (upstream, name) = (&candidates.upstream, policy.name());
            let message = format!("upstream `{upstream}`: policy `{name}` failed its trial: {error}");
            (place, message, String::new())
        })?;
        Ok((policy, options, report))
    }
}

/// Whom the upstream's policy may choose from at this moment.
pub(super) fn candidates_now(upstream: &Upstream) -> Candidates {
    let (name, stats) = (Arc::clone(&upstream.name), Arc::clone(&upstream.stats));
    let threshold = upstream.settings.panic_threshold;
    Candidates::now(name, stats, &upstream.backends, threshold, clock::now())
}

fn generation(
    loaded: &Loaded,
    number: u64,
    log: Option<&AccessLog>,
    upstreams: Box<[Upstream]>,
    limits: Limits,
) -> Generation {
    let config = &loaded.config;
    let routes: Vec<(Arc<Route>, &model::Route)> =
        config.routes.iter().map(|configured| (Arc::new(route(configured, &limits)), configured)).collect();
    let uses = |variable: &Variable| {
        log.is_some_and(|log| log.uses(variable)) || routes.iter().any(|(route, _)| route.uses(variable))
    };
    let (explain, time_picks) = (uses(&Variable::PickExplanation), uses(&Variable::PickTime));
    let mut table = Table::default();
    for (route, configured) in routes {
        for host in &configured.hosts {
            table.insert(host.clone(), configured.path.clone(), Arc::clone(&route));
        }
    }
    let body_timeout = config.limits.body_timeout;
    Generation {
        number,
        routes: table,
        upstreams,
        body_timeout,
        explain,
        time_picks,
        keep_answer_headers: log.is_some_and(AccessLog::shows_answer_headers),
        error_pages: pages(&config.error_pages),
        limits,
    }
}

fn route(configured: &model::Route, limits: &Limits) -> Route {
    let hosts: Vec<String> = configured.hosts.iter().map(ToString::to_string).collect();
    Route {
        name: format!("{} {}", hosts.join(", "), configured.path).into(),
        to: configured.to.clone(),
        max_body: configured.max_body,
        timeout: configured.timeout,
        request_headers: configured.request_headers.clone().into(),
        response_headers: configured.response_headers.clone().into(),
        expression: configured.path.expression().cloned(),
        rewrite: configured.rewrite.clone(),
        error_pages: pages(&configured.error_pages),
        intercept_errors: configured.intercept_errors,
        compression: configured.compression.clone(),
        limits: Limits {
            rates: some_of(&limits.rates, &configured.rate_limits),
            at_once: some_of(&limits.at_once, &configured.connection_limits),
        },
    }
}

fn some_of<T>(all: &[Arc<T>], indices: &[usize]) -> Vec<Arc<T>> {
    indices.iter().filter_map(|index| all.get(*index).cloned()).collect()
}

fn pages(configured: &Pages) -> Option<Arc<Pages>> {
    (!configured.is_empty()).then(|| Arc::new(configured.clone()))
}

fn budget(sandbox: &model::Sandbox) -> Budget {
    Budget {
        pick: sandbox.pick_deadline,
        init: sandbox.init_deadline,
        memory: usize::try_from(sandbox.memory).unwrap_or(usize::MAX),
    }
}

fn rules(sandbox: &model::Sandbox) -> Rules {
    Rules { max_faults: u32::try_from(sandbox.max_faults).unwrap_or(u32::MAX), window: sandbox.fault_window }
}
