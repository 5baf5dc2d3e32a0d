//! From a checked configuration to a generation that is ready to be put in force.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Shelf;
use super::known::{Known, Way};
use super::listeners;
use crate::config::{Loaded, Place, Problems, model};
use crate::forward::{Generation, Limits, Pages, Route, Upstream};
use crate::observe::AccessLog;
use crate::policy::{Birth, Engine, Instance, Limits as Budget, Policy, Report, Roster, Rules, try_out};
use crate::route::Table;
use crate::stats::UpstreamStats;
use crate::template::Variable;
use crate::upstream::{Candidates, Settings};

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
}

impl Making {
    /// A new instance of `policy` for one worker.
    pub(super) fn instance(
        &self,
        policy: &Arc<Policy>,
        seed: u64,
        state: Option<&[u8]>,
    ) -> Result<Instance, crate::policy::BirthError> {
        policy.instantiate(Birth {
            options: &self.options,
            candidates: Arc::clone(&self.candidates),
            seed,
            state,
            limits: self.limits,
        })
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
    Builder { loaded, engine, known: Known::default(), number: 1, log: None }.plan()
}

/// Tries the policies of a configuration that may be wrong elsewhere, as far as they can be tried.
#[must_use]
pub fn try_policies(loaded: &Loaded, engine: &Engine) -> Problems {
    let builder = Builder { loaded, engine, known: Known::default(), number: 1, log: None };
    builder.upstreams().err().unwrap_or_else(|| Problems::new(Arc::clone(&loaded.sources)))
}

/// What a plan is made from.
pub(super) struct Builder<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) engine: &'a Engine,
    pub(super) known: Known,
    pub(super) number: u64,
    /// What is not shown there need not be measured.
    pub(super) log: Option<&'a AccessLog>,
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
            let (stats, roster) = self.known.upstream(&name, rules(&config.sandbox), config.workers.get());
            let upstream = match self.upstream(configured, name, Arc::clone(&stats)) {
                Ok(upstream) => upstream,
                Err((place, message)) => {
                    problems.add(place, message, "");
                    continue;
                }
            };
            match self.making(configured, &upstream, stats, roster) {
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
        stats: Arc<UpstreamStats>,
    ) -> Result<Upstream, (Place, String)> {
        let way = Way { tls: configured.tls.clone(), protocol: configured.protocol };
        let backends = configured
            .backends
            .iter()
            .map(|backend| self.known.backend(&name, backend, &way).map_err(|error| (backend.place, error)));
        let backends = backends.collect::<Result<_, _>>()?;
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
        };
        Ok(Upstream {
            name,
            policy: (&*configured.policy.name).into(),
            settings,
            backends,
            stats,
            hash_key: configured.hash_key.clone(),
            redirect: configured.redirect.clone(),
        })
    }

    /// Loads and tries the policy of an upstream.
    fn making(
        &self,
        configured: &model::Upstream,
        upstream: &Upstream,
        stats: Arc<UpstreamStats>,
        roster: Arc<Roster>,
    ) -> Result<Making, (Place, String, String)> {
        let config = &self.loaded.config;
        let place = configured.policy.place;
        let shelf = Shelf::new(&config.policies);
        let policy = shelf
            .load(self.engine, &configured.policy.name)
            .map_err(|(message, help)| (place, message, help))?;
        let candidates = Arc::new(Candidates::of(Arc::clone(&upstream.name), stats, &upstream.backends));
        if candidates.backends.is_empty() {
            // No policy is ever asked to choose from nothing, so this one cannot be tried.
            let message = format!("upstream `{}` has no backend in service", upstream.name);
            return Err((configured.place, message, String::new()));
        }
        let options = serde_json::Value::Object(configured.policy.options.clone()).to_string();
        let limits = budget(&config.sandbox);
        let birth =
            Birth { options: &options, candidates: Arc::clone(&candidates), seed: 1, state: None, limits };
        let report = try_out(&policy, &birth).map_err(|error| {
            let message =
                format!("upstream `{}`: policy `{}` failed its trial: {error}", upstream.name, policy.name());
            (place, message, String::new())
        })?;
        Ok(Making {
            upstream: Arc::clone(&upstream.name),
            policy,
            options,
            limits,
            rules: rules(&config.sandbox),
            candidates,
            roster,
            report,
        })
    }
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
