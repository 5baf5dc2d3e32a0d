//! Running the gateway: start, commands, signals, end.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::control::Control;
use super::life::Life;
use super::pid_file::PidFile;
use super::settings::log_target;
use super::shared::{End, Shared};
use super::succession::{self, Origin};
use super::user::Identity;
use super::{Shelf, certificates, mend, names, tend, watch};
use crate::admin::{Admin, Gateway, Place};
use crate::config;
use crate::listen::Inherited;
use crate::observe::Log;
use crate::policy::{Engine, Totals};

/// Why the gateway does not run.
#[derive(Debug, Error)]
pub enum Failure {
    /// The configuration, or a policy, is wrong; the text shows all problems.
    #[error("{0}")]
    Configuration(String),
    /// The system refused something.
    #[error("{0}")]
    System(String),
}

/// Runs the gateway with the configuration in the file `path` until it is told to end.
///
/// # Errors
/// When it cannot start.
pub fn run(path: &Path) -> Result<(), Failure> {
    Running::start(path)?.serve()
}

/// A gateway that runs. There can be one in a process: its log is the process's.
pub struct Running {
    shared: Arc<Shared>,
    ends: UnboundedReceiver<End>,
    predecessor: Option<Pid>,
    _pages: Admin,
    _pid_file: PidFile,
}

impl Running {
    /// Starts the gateway with the configuration in the file `path`. It listens when this returns.
    ///
    /// # Errors
    /// What is wrong with the configuration, or what the system refused.
    pub fn start(path: &Path) -> Result<Self, Failure> {
        let loaded = config::load(path).map_err(|problems| Failure::Configuration(problems.to_string()))?;
        let log =
            Log::start(loaded.config.log.level, &log_target(&loaded.config.log)).map_err(system("log"))?;
        if !loaded.warnings.is_empty() {
            loaded.warnings.to_string().lines().for_each(|line| tracing::warn!("{line}"));
        }
        let seen = Shelf::new(&loaded.config.policies).fingerprint();
        raise_descriptor_limit(loaded.config.limits.max_connections);
        let origin = Origin::of_this_process().map_err(system("program"))?;
        let predecessor = succession::predecessor();
        let identity = loaded.config.user.as_deref().map(Identity::find).transpose();
        let identity = identity.map_err(Failure::System)?;
        let engine = Engine::keeping(loaded.config.policy_cache.as_deref()).map_err(Failure::System)?;
        let (socket, admin, pid_file) =
            (loaded.config.control.clone(), loaded.config.admin, loaded.config.pid_file.clone());
        let (faults, ended) = crossbeam_channel::unbounded();
        let log = Arc::new(log);
        let (bell, rings) = crossbeam_channel::bounded(1);
        let control = Control::start(
            path.to_owned(),
            loaded,
            engine,
            Arc::clone(&log),
            faults,
            Inherited::take(),
            bell,
        )
        .map_err(Failure::Configuration)?;
        let (end, ends) = unbounded_channel();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let shared = Arc::new(Shared {
            control: Mutex::new(control),
            log,
            started,
            draining: AtomicBool::new(false),
            succeeded: AtomicBool::new(false),
            end,
            origin,
            admin: OnceLock::new(),
        });
        mend::start(&shared, ended).map_err(system("thread"))?;
        tend::start(&shared, rings).map_err(system("thread"))?;
        names::start(&shared).map_err(system("thread"))?;
        watch::start(&shared, seen).map_err(system("thread"))?;
        certificates::start(&shared).map_err(system("thread"))?;
        let mut passed = shared.control().take_inherited();
        let place = Place {
            socket: &socket,
            tcp: admin,
            inherited: admin.and_then(|address| passed.claim_tcp(address)),
            succeeds: predecessor.is_some(),
        };
        let pages =
            Admin::start(place, Arc::clone(&shared) as Arc<dyn Gateway>).map_err(system("control socket"))?;
        if let Some(held) = pages.socket().map_err(system("admin"))? {
            // It is set once, here.
            let _ = shared.admin.set(held);
        }
        for place in passed.unclaimed() {
            tracing::warn!("a socket at {place} was passed to this process, and no listener wants it");
        }
        let written = pid_file.clone();
        let pid_file = PidFile::write(pid_file).map_err(system("pid_file"))?;
        if let Some(identity) = identity {
            let control = shared.control();
            let logs = control.config().log.files();
            let files = logs.chain([socket.as_path()]).chain(written.as_deref());
            identity.assume(files).map_err(Failure::System)?;
        }
        Ok(Self { shared, ends, predecessor, _pages: pages, _pid_file: pid_file })
    }

    /// A hold on it for other threads of this process.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Obeys signals and commands until one of them ends the gateway, and ends it.
    ///
    /// # Errors
    /// Signals cannot be received, or there is no thread to end it on.
    pub fn serve(self) -> Result<(), Failure> {
        Life { shared: &self.shared, ends: self.ends, predecessor: self.predecessor }
            .live()
            .map_err(system("signals"))
    }
}

/// A hold on a running gateway.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Ends the gateway at once. Only asks for it, does not wait.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it is ending.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Relaxed)
    }

    /// Picks for an upstream, and what came of them, since the gateway started; none if there is
    /// no such upstream. Unlike the mean on the state page, two of these can be subtracted.
    #[must_use]
    pub fn picks(&self, upstream: &str) -> Option<Totals> {
        let control = self.0.control();
        let making = control.makings().iter().find(|making| &*making.upstream == upstream)?;
        Some(making.roster.snapshot().totals)
    }
}

/// Allows as many open descriptors as the system lets us: two for each request in flight, one for
/// each idle connection. The soft limit is often 1,024.
fn raise_descriptor_limit(max_connections: Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!("cannot raise the limit of open descriptors: {error}");
    }
    let (Some(most), Some(connections)) = (limit.maximum, max_connections) else { return };
    if most < connections.saturating_mul(2) {
        tracing::warn!(
            "limits.max_connections is {connections}, and each may need two descriptors, but the system allows {most}: raise its limit (ulimit -Hn, LimitNOFILE) or lower the setting"
        );
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::System(format!("{what}: {error}"))
}
