//! Running the gateway: start, commands, signals, end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::control::{Control, log_target};
use super::{mend, picture, watch};
use crate::admin::{Admin, Gateway, Snapshot};
use crate::config;
use crate::listen;
use crate::observe::{AccessLog, Log};
use crate::policy::Engine;

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
            Err(refused) => tracing::error!("reload refused, the old generation stays in force:\n{refused}"),
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
    let loaded = config::load(path).map_err(|problems| Failure::Configuration(problems.to_string()))?;
    let log = Log::start(loaded.config.log.level, &log_target(&loaded.config.log)).map_err(system("log"))?;
    if !loaded.warnings.is_empty() {
        tracing::warn!("{}", loaded.warnings);
    }
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
    watch::start(&shared).map_err(system("thread"))?;
    let pages = Admin::start(&socket, admin, Arc::clone(&shared) as Arc<dyn Gateway>)
        .map_err(system("control socket"))?;
    let _pid_file = PidFile::write(pid_file).map_err(system("pid_file"))?;
    let end = await_end(&shared, ends).map_err(system("signals"))?;
    leave(&shared, end);
    drop(pages);
    Ok(())
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::System(format!("{what}: {error}"))
}

/// Serves signals until one of them, or a command, ends the gateway.
fn await_end(shared: &Shared, mut ends: UnboundedReceiver<End>) -> io::Result<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let on = |kind| signal(kind);
        let (mut hangup, mut reopen) = (on(SignalKind::hangup())?, on(SignalKind::user_defined1())?);
        let (mut terminate, mut interrupt, mut quit) =
            (on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::quit())?);
        loop {
            tokio::select! {
                _ = hangup.recv() => drop(shared.reload()),
                _ = reopen.recv() => shared.reopen(),
                () = either(&mut terminate, &mut interrupt) => return Ok(End::Stop),
                _ = quit.recv() => return Ok(End::Quit),
                Some(end) = ends.recv() => return Ok(end),
            }
        }
    })
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

fn leave(shared: &Shared, end: End) {
    let mut control = shared.control();
    let patience = (end == End::Quit).then_some(control.config().quit_timeout);
    tracing::info!(
        "{}",
        if end == End::Quit {
            "quitting: no new connections, waiting for the last requests"
        } else {
            "stopping"
        }
    );
    shared.draining.store(true, Relaxed);
    let sockets: Vec<PathBuf> = control
        .config()
        .listen
        .iter()
        .filter_map(|listener| match &listener.address {
            listen::Address::Unix(path) => Some(path.clone()),
            listen::Address::Tcp(_) => None,
        })
        .collect();
    let (crew, access_log) = control.take_crew();
    drop(control);
    if let Some(crew) = crew
        && !crew.dismiss(patience)
    {
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
