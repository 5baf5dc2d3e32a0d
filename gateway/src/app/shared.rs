//! The gateway as its threads share it, and what can be asked of it.

use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::control::Control;
use super::succession::Origin;
use super::{notify, picture, record};
use crate::admin::{Gateway, Snapshot, Wish};
use crate::observe::Log;

/// How the gateway was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stop,
    Quit,
}

/// The gateway as its threads share it.
pub(super) struct Shared {
    pub(super) control: Mutex<Control>,
    pub(super) log: Arc<Log>,
    pub(super) started: u64,
    pub(super) draining: AtomicBool,
    /// Has a successor been started that is to take over?
    pub(super) succeeded: AtomicBool,
    pub(super) end: UnboundedSender<End>,
    pub(super) origin: Origin,
    /// The TCP socket of the admin pages, once it is open.
    pub(super) admin: OnceLock<OwnedFd>,
}

impl Shared {
    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        // A command that panicked left the old generation in force: it goes on.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway for Shared {
    fn reload(&self) -> Result<String, String> {
        notify::reloading();
        let reloaded = self.control().reload();
        notify::ready();
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

    fn upgrade(&self) -> Result<String, String> {
        if self.draining.load(Relaxed) || self.succeeded.swap(true, Relaxed) {
            return Err("the gateway is already being replaced, or ending".into());
        }
        let handed = self.start_successor().and_then(|successor| self.await_successor(successor));
        if handed.is_err() {
            self.succeeded.store(false, Relaxed);
        }
        handed
    }

    fn drain(&self, upstream: &str, backend: &str, drain: bool) -> Result<String, String> {
        self.control().drain(upstream, backend, drain)
    }

    fn reopen(&self) {
        if let Err(error) = self.log.reopen() {
            tracing::error!("cannot reopen the log: {error}");
        }
        if let Some(access_log) = self.control().access_log() {
            access_log.reopen();
        }
    }

    fn record(&self, wish: &Wish) -> Result<String, String> {
        record::record(self, wish)
    }

    fn explain(&self, wish: &Wish) -> Result<String, String> {
        record::explain(self, wish)
    }

    fn decide(&self, wish: &Wish, promote: bool) -> Result<String, String> {
        record::decide(self, wish, promote)
    }

    fn snapshot(&self) -> Snapshot {
        picture::take(&self.control(), self.started, self.draining.load(Relaxed))
    }
}

/// How long a successor may take until it serves: it compiles the policies anew.
const SUCCESSION: Duration = Duration::from_secs(60);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);

impl Shared {
    fn start_successor(&self) -> Result<Child, String> {
        let program = self.origin.program().display();
        let failed = |error| format!("cannot start {program}: {error}");
        let mut sockets = self.control().sockets().map_err(failed)?;
        let admin = self.admin.get().map(OwnedFd::try_clone).transpose().map_err(failed)?;
        sockets.extend(admin);
        tracing::info!("starting {program} anew, with {} listening sockets", sockets.len());
        self.origin.succeed(sockets).map_err(failed)
    }

    /// Waits until the successor tells this process to quit, or ends.
    fn await_successor(&self, mut successor: Child) -> Result<String, String> {
        let deadline = Instant::now() + SUCCESSION;
        let process = successor.id();
        while Instant::now() < deadline {
            if self.draining.load(Relaxed) {
                notify::succeeded_by(process);
                return Ok(format!("process {process} has taken over; this one quits"));
            }
            match successor.try_wait() {
                Ok(None) => std::thread::sleep(LOOK),
                Ok(Some(status)) => {
                    return Err(format!(
                        "the new process ended ({status}), for a reason that it has printed; this one goes on"
                    ));
                }
                Err(error) => return Err(format!("the new process cannot be waited for: {error}")),
            }
        }
        // It is of no use any more; that it cannot be ended either would be nobody's news.
        let _ = successor.kill();
        let _ = successor.wait();
        Err(format!("the new process was not ready within {SUCCESSION:?}; this one goes on"))
    }
}
