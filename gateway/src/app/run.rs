//! Running the gateway: start, commands, signals, end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::control::Control;
use super::settings::log_target;
use super::{Shelf, mend, picture, watch};
use crate::admin::{Admin, Gateway, Snapshot};
use crate::config;
use crate::listen;
use crate::observe::{AccessLog, Log};
use crate::policy::{Engine, Totals};

/// How long the access log may take to write its last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

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

/// How the gateway was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stop,
    Quit,
}

/// The gateway as its threads share it.
pub(super) struct Shared {
    control: Mutex<Control>,
    log: Arc<Log>,
    started: u64,
    draining: AtomicBool,
    end: UnboundedSender<End>,
}

impl Shared {
    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        // A command that panicked left the old generation in force: it goes on.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway for Shared {
    fn reload(&self) -> Result<String, String> {
        let reloaded = self.control().reload();
        match &reloaded {
            Ok(done) => tracing::info!("reload: {done}"),
            Err(refused) => {
                tracing::error!("reload refused, the old generation stays in force:");
                refused.lines().for_each(|line| tracing::error!("{line}"));
            }
        }
        reloaded
    }

    fn stop(&self) {
        // The receiver lives as long as the gateway serves.
        let _ = self.end.send(End::Stop);
    }

    fn quit(&self) {
        let _ = self.end.send(End::Quit);
    }

    fn reopen(&self) {
        if let Err(error) = self.log.reopen() {
            tracing::error!("cannot reopen the log: {error}");
        }
        if let Some(access_log) = self.control().access_log() {
            access_log.reopen();
        }
    }

    fn snapshot(&self) -> Snapshot {
        picture::take(&self.control(), self.started, self.draining.load(Relaxed))
    }
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
        raise_descriptor_limit();
        let engine = Engine::new().map_err(Failure::System)?;
        let (socket, admin, pid_file) =
            (loaded.config.control.clone(), loaded.config.admin, loaded.config.pid_file.clone());
        let (faults, ended) = crossbeam_channel::unbounded();
        let log = Arc::new(log);
        let control = Control::start(path.to_owned(), loaded, engine, Arc::clone(&log), faults)
            .map_err(Failure::Configuration)?;
        let (end, ends) = unbounded_channel();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let shared = Arc::new(Shared {
            control: Mutex::new(control),
            log,
            started,
            draining: AtomicBool::new(false),
            end,
        });
        mend::start(&shared, ended).map_err(system("thread"))?;
        watch::start(&shared, seen).map_err(system("thread"))?;
        let pages = Admin::start(&socket, admin, Arc::clone(&shared) as Arc<dyn Gateway>)
            .map_err(system("control socket"))?;
        let pid_file = PidFile::write(pid_file).map_err(system("pid_file"))?;
        Ok(Self { shared, ends, _pages: pages, _pid_file: pid_file })
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
        Life { shared: &self.shared, ends: self.ends }.live().map_err(system("signals"))
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
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!("cannot raise the limit of open descriptors: {error}");
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::System(format!("{what}: {error}"))
}

/// The gateway's life after its start: signals and commands, and its end.
struct Life<'a> {
    shared: &'a Arc<Shared>,
    ends: UnboundedReceiver<End>,
}

impl Life<'_> {
    fn live(mut self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            self.shared.control().announce();
            let end = self.until_end(&mut signals).await;
            let (left, mut leaving) = oneshot::channel();
            let hurry = Arc::new(AtomicBool::new(end == End::Stop));
            let (shared, hurried) = (Arc::clone(self.shared), Arc::clone(&hurry));
            std::thread::Builder::new().name("leave".into()).spawn(move || {
                leave(&shared, &hurried);
                // Nobody waits if the process is on its way out already.
                let _ = left.send(());
            })?;
            loop {
                tokio::select! {
                    _ = &mut leaving => return Ok(()),
                    end = self.until_end(&mut signals) => hurry.fetch_or(end == End::Stop, Relaxed),
                };
            }
        })
    }

    /// Serves signals and commands until one of them ends the gateway.
    async fn until_end(&mut self, signals: &mut Signals) -> End {
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => drop(self.shared.reload()),
                _ = signals.reopen.recv() => self.shared.reopen(),
                _ = signals.terminate.recv() => return End::Stop,
                _ = signals.interrupt.recv() => return End::Stop,
                _ = signals.quit.recv() => return End::Quit,
                Some(end) = self.ends.recv() => return end,
            }
        }
    }
}

/// The signals that the gateway obeys; nginx's.
struct Signals {
    hangup: Signal,
    reopen: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }
}

/// Ends the workers: after their last request, or as soon as `hurry` says so.
fn leave(shared: &Shared, hurry: &AtomicBool) {
    let mut control = shared.control();
    let patience = control.config().quit_timeout;
    tracing::info!(
        "{}",
        if hurry.load(Relaxed) {
            "stopping"
        } else {
            "quitting: no new connections, waiting for the last requests"
        }
    );
    shared.draining.store(true, Relaxed);
    let sockets = unix_sockets(&control);
    let (crew, access_log) = control.take_crew();
    drop(control);
    if crew.is_some_and(|crew| !crew.dismiss(patience, hurry)) {
        tracing::warn!("the deadline (quit_timeout) has passed: the requests that were left have been cut");
    }
    if access_log.is_some_and(|log: AccessLog| !log.finish(LAST_LINES)) {
        tracing::warn!("the access log did not write its last lines in time");
    }
    for path in sockets {
        // It may be gone already; nobody listens there any more either way.
        let _ = fs::remove_file(path);
    }
}

fn unix_sockets(control: &Control) -> Vec<PathBuf> {
    let addresses = control.config().listen.iter().map(|listener| &listener.address);
    let unix = addresses.filter_map(|address| match address {
        listen::Address::Unix(path) => Some(path.clone()),
        listen::Address::Tcp(_) => None,
    });
    unix.collect()
}

/// The file with the process's number; removed when it is dropped.
struct PidFile(Option<PathBuf>);

impl PidFile {
    fn write(path: Option<PathBuf>) -> io::Result<Self> {
        if let Some(path) = &path {
            fs::write(path, format!("{}\n", std::process::id()))?;
        }
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}
