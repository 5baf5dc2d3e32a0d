//! The gateway's life after its start: signals and commands, and its end.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::control::Control;
use super::shared::{End, Shared};
use super::{notify, succession};
use crate::admin::Gateway;
use crate::listen;
use crate::observe::AccessLog;

/// How long the access log may take to write its last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The gateway's life after its start: signals and commands, and its end.
pub(super) struct Life<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) ends: UnboundedReceiver<End>,
    /// Whom to relieve when everything is ready.
    pub(super) predecessor: Option<Pid>,
}

impl Life<'_> {
    pub(super) fn live(mut self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            self.shared.control().announce();
            notify::ready();
            self.predecessor.into_iter().for_each(succession::relieve);
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
                _ = signals.upgrade.recv() => self.upgrade(),
                _ = signals.terminate.recv() => return End::Stop,
                _ = signals.interrupt.recv() => return End::Stop,
                _ = signals.quit.recv() => return End::Quit,
                Some(end) = self.ends.recv() => return end,
            }
        }
    }

    /// On a thread of its own: the signal that ends this process must be heard meanwhile.
    fn upgrade(&self) {
        let shared = Arc::clone(self.shared);
        let upgrade = move || {
            if let Err(error) = shared.upgrade() {
                tracing::error!("upgrade: {error}");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("upgrade".into()).spawn(upgrade) {
            tracing::error!("upgrade: {error}");
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
    upgrade: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            upgrade: signal(SignalKind::user_defined2())?,
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
    notify::stopping();
    // A successor listens at the same paths.
    let sockets = if shared.succeeded.load(Relaxed) { Vec::new() } else { unix_sockets(&control) };
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
