//! The gateway as commands see it: what is in force, and how it changes.

mod fitness;
mod pickers;
mod sockets;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::build::{Builder, Making, Plan};
use super::checks::Checks;
use super::crew::Crew;
use super::known::Known;
use super::listeners::{self, Prepared, Terminators};
use super::names::{self, Names};
use super::settings::{log_target, open_access_log, same_log, settings};
use super::worker::{Opened, Shift};
use crate::config::{self, Loaded, Problems, model};
use crate::forward::Generation;
use crate::listen::{self, Bound, Capacity, Inherited};
use crate::observe::{AccessLog, Log};
use crate::policy::{Ended, Engine};
use crate::stats::clock;

/// What is in force, and what it takes to replace it. One lock guards it: commands come one at a
/// time, and no worker ever waits for it.
pub(super) struct Control {
    path: PathBuf,
    engine: Engine,
    log: Arc<Log>,
    loaded: Arc<Loaded>,
    known: Known,
    generation: Arc<Generation>,
    makings: Vec<Making>,
    access_log: Option<AccessLog>,
    listeners: Vec<Listener>,
    inherited: Inherited,
    capacity: Arc<Capacity>,
    terminators: Terminators,
    /// Changed files of certificates that could not be taken up, and why.
    flaws: HashMap<PathBuf, String>,
    crew: Option<Crew>,
    checks: Checks,
    faults: Sender<Ended>,
    ages: u64,
    /// Upstreams whose picks are being recorded.
    pub(super) recording: Vec<Arc<str>>,
    /// What to announce.
    news: Vec<String>,
}

/// An open listener, and a hold on its sockets for a successor.
struct Listener {
    address: listen::Address,
    sockets: Vec<Bound>,
}

/// Why a reload was refused, as text for whoever asked.
pub(super) type Refused = String;

impl Control {
    /// Builds the first generation and starts the workers.
    ///
    /// # Errors
    /// Everything that is wrong; nothing runs then.
    pub(super) fn start(
        path: PathBuf,
        loaded: Loaded,
        engine: Engine,
        log: Arc<Log>,
        faults: Sender<Ended>,
        inherited: Inherited,
        bell: Sender<()>,
    ) -> Result<Self, Refused> {
        let access_log =
            open_access_log(&loaded.config.log).map_err(|error| format!("access log: {error}"))?;
        let loaded = Arc::new(loaded);
        let mut known = Known::new(bell);
        known.names = names::look_up(names::names(&loaded.config));
        let plan = plan(&loaded, &engine, known, 1, access_log.as_ref(), &[])
            .map_err(|problems| problems.to_string())?;
        let Plan { generation, makings, known } = plan;
        let mut control = Self {
            path,
            engine,
            log,
            loaded,
            known,
            generation,
            makings,
            access_log,
            listeners: Vec::new(),
            inherited,
            capacity: Arc::default(),
            terminators: HashMap::new(),
            flaws: HashMap::new(),
            crew: None,
            checks: Checks::start().map_err(|error| format!("cannot start the checks: {error}"))?,
            faults,
            ages: 0,
            recording: Vec::new(),
            news: Vec::new(),
        };
        let terms = listeners::prepare(&control.terminators, &control.loaded)
            .map_err(|problems| problems.to_string())?;
        let bound = control.bind_new()?;
        control.take_terms(terms);
        control.seat_policies();
        let shifts = control.shifts(&[], bound, &[], true);
        control.crew =
            Some(Crew::start(shifts).map_err(|error| format!("cannot start the workers: {error}"))?);
        control.checks.follow(&control.generation);
        Ok(control)
    }

    pub(super) fn config(&self) -> &model::Config {
        &self.loaded.config
    }

    pub(super) fn generation(&self) -> &Generation {
        &self.generation
    }

    pub(super) fn makings(&self) -> &[Making] {
        &self.makings
    }

    pub(super) fn crew(&self) -> Option<&Crew> {
        self.crew.as_ref()
    }

    pub(super) fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }

    /// The workers and the access log, to end them. Nothing can be changed afterwards.
    pub(super) fn take_crew(&mut self) -> (Option<Crew>, Option<AccessLog>) {
        self.listeners.clear();
        (self.crew.take(), self.access_log.take())
    }

    /// Reads the configuration again and puts it in force, all of it or nothing.
    pub(super) fn reload(&mut self) -> Result<String, Refused> {
        let loaded = config::load(&self.path).map_err(|problems| problems.to_string())?;
        for making in &self.makings {
            making.roster.pardon();
            making.canary.iter().for_each(|canary| canary.book.pardon(clock::now()));
        }
        self.look_up_new_names(&loaded.config);
        self.renew(Arc::new(loaded), false)
    }

    /// Takes up changed policy files under the configuration that is in force.
    pub(super) fn reload_policies(&mut self) -> Result<String, Refused> {
        self.renew(Arc::clone(&self.loaded), false)
    }

    /// Takes up what names stand for now. When that makes other backends, there is another
    /// generation, with the policies that are in force.
    pub(super) fn take_up_names(&mut self, found: Names) {
        let spread = |names: &Names| {
            let upstreams = self.loaded.config.upstreams.iter();
            let names_of = |upstream: &model::Upstream| {
                let all = names::backends(upstream, names).into_iter();
                all.map(|backend| backend.name).collect::<Vec<_>>()
            };
            upstreams.map(names_of).collect::<Vec<_>>()
        };
        let before = spread(&self.known.names);
        let mut names = self.known.names.clone();
        names.extend(found);
        let changed = spread(&names) != before;
        self.known.names = names;
        if !changed || self.crew.is_none() {
            return;
        }
        match self.renew(Arc::clone(&self.loaded), true) {
            Ok(done) => tracing::info!("names stand for other backends: {done}"),
            Err(refused) => {
                tracing::error!("names stand for other backends, but they are not taken up:");
                refused.lines().for_each(|line| tracing::error!("{line}"));
            }
        }
    }

    /// Names that a new configuration brings are looked up before it is in force.
    fn look_up_new_names(&mut self, config: &model::Config) {
        let mut wanted = names::names(config);
        wanted.retain(|name| !self.known.names.contains_key(name));
        self.known.names.extend(names::look_up(wanted));
    }

    /// `same_policies`: the files of policies are not looked at.
    fn renew(&mut self, loaded: Arc<Loaded>, same_policies: bool) -> Result<String, Refused> {
        self.refuse_what_needs_a_restart(&loaded.config)?;
        let changed_log = !same_log(&self.loaded.config.log, &loaded.config.log);
        let access_log = if changed_log {
            open_access_log(&loaded.config.log).map_err(|error| format!("access log: {error}"))?
        } else {
            self.access_log.clone()
        };
        let number = self.generation.number + 1;
        let policies = if same_policies { &self.makings[..] } else { &[] };
        let known = self.known.clone();
        let plan = plan(&loaded, &self.engine, known, number, access_log.as_ref(), policies)
            .map_err(|problems| problems.to_string())?;
        // What is in force may be newer than what was read with a configuration that stays.
        let terms = match Arc::ptr_eq(&loaded, &self.loaded) {
            true => None,
            false => Some(
                listeners::prepare(&self.terminators, &loaded).map_err(|problems| problems.to_string())?,
            ),
        };
        let target = log_target(&loaded.config.log);
        let before = std::mem::replace(&mut self.loaded, loaded);
        let bound = match self.bind_new() {
            Ok(bound) => bound,
            Err(refused) => {
                self.loaded = before;
                return Err(refused);
            }
        };
        // From here on nothing can be refused any more.
        if let Err(error) = self.log.change(self.loaded.config.log.level, &target) {
            tracing::error!("the log stays where it is: {error}");
        }
        let old: Vec<Arc<str>> = self.makings.iter().map(|making| Arc::clone(&making.upstream)).collect();
        let saved = self.saved(&old);
        (self.generation, self.makings, self.known, self.access_log) =
            (plan.generation, plan.makings, plan.known, access_log);
        if let Some(terms) = terms {
            self.take_terms(terms);
        }
        self.seat_policies();
        let closed = self.close_old();
        let shifts = self.shifts(&saved, bound, &closed, changed_log);
        if let Some(crew) = &self.crew {
            crew.put_in_force(shifts);
        }
        self.checks.follow(&self.generation);
        self.announce();
        Ok(format!("generation {number} is in force"))
    }

    /// Some values are fixed when the process starts.
    fn refuse_what_needs_a_restart(&self, new: &model::Config) -> Result<(), Refused> {
        let old = &self.loaded.config;
        let changed = [
            ("workers", old.workers != new.workers),
            ("control", old.control != new.control),
            ("admin.address", old.admin != new.admin),
        ];
        match changed.into_iter().find(|(_, changed)| *changed) {
            Some((key, _)) => Err(format!(
                "`{key}` cannot change while the gateway runs: restart it, or put the old value back"
            )),
            None => Ok(()),
        }
    }

    /// Tells each upstream's roster which version was tried and may serve.
    fn seat_policies(&self) {
        for making in &self.makings {
            making.roster.set_rules(making.rules);
            if !making.roster.serve(Arc::clone(&making.policy), clock::now()) {
                tracing::warn!(
                    "upstream {}: policy {} {} is still in quarantine",
                    making.upstream,
                    making.policy.name(),
                    making.policy.version()
                );
            }
        }
    }

    /// Puts TLS in force as it was prepared.
    fn take_terms(&mut self, terms: Prepared) {
        self.flaws.clear();
        self.terminators = listeners::put(&self.terminators, terms);
    }

    pub(super) fn terminators(&self) -> &Terminators {
        &self.terminators
    }

    /// Why a changed file of certificates was not taken up, if it was not.
    pub(super) fn flaw(&self, file: &Path) -> Option<&str> {
        self.flaws.get(file).map(String::as_str)
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// What it takes to take up changed files of certificates.
    pub(super) fn credentials(&mut self) -> (&Terminators, &mut Known, &mut HashMap<PathBuf, String>) {
        (&self.terminators, &mut self.known, &mut self.flaws)
    }

    /// The generation in force, cut into one shift for each worker.
    fn shifts(
        &mut self,
        saved: &[HashMap<Arc<str>, Vec<u8>>],
        bound: Vec<(listen::Address, Vec<Bound>)>,
        close: &[listen::Address],
        log_changed: bool,
    ) -> Vec<Shift> {
        let workers = self.loaded.config.workers.get();
        let mut open: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
        for (address, sockets) in bound {
            let terminator = self.terminators.get(&address).cloned().unwrap_or_default();
            for (index, bound) in sockets.into_iter().enumerate() {
                let (address, terminator) = (address.clone(), Arc::clone(&terminator));
                open[index % workers].push(Opened { address, bound, terminator });
            }
        }
        let settings = settings(&self.loaded.config, &self.capacity);
        let mut shifts = Vec::new();
        for (worker, open) in open.into_iter().enumerate() {
            let states = saved.get(worker);
            let pickers = (0..self.makings.len()).map(|upstream| {
                let state = states.and_then(|states| states.get(&self.makings[upstream].upstream));
                self.picker(upstream, worker, state.map(Vec::as_slice))
            });
            let pickers = pickers.collect();
            let lines = log_changed.then(|| self.access_log.as_ref().map(AccessLog::worker));
            let generation = Arc::clone(&self.generation);
            shifts.push(Shift {
                generation,
                pickers,
                settings: settings.clone(),
                lines,
                open,
                close: close.to_vec(),
            });
        }
        shifts
    }
}

fn plan(
    loaded: &Loaded,
    engine: &Engine,
    known: Known,
    number: u64,
    access_log: Option<&AccessLog>,
    in_force: &[Making],
) -> Result<Plan, Problems> {
    Builder { loaded, engine, known, number, log: access_log, in_force }.plan()
}
