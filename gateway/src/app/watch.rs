//! Taking up changed policy files.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Shelf;
use super::shared::Shared;

/// Editors write in several steps: after the first sign of a change so much quiet is awaited.
const SETTLE: Duration = Duration::from_millis(150);
/// However quiet it is, the folder is looked at this often: some file systems send no events,
/// and a folder that is replaced whole takes its watch with it.
const LOOK: Duration = Duration::from_secs(2);

/// A folder, and who tells when something in it changes.
struct Eyes {
    folder: PathBuf,
    _watcher: RecommendedWatcher,
}

/// Starts the thread that watches the folder of policies. It ends when the gateway is gone.
/// `seen` is the folder's fingerprint from before its files were loaded: what has changed since
/// then is taken up. When this returns, changes are noticed.
pub(super) fn start(gateway: &Arc<Shared>, seen: u64) -> std::io::Result<()> {
    let (stirred, stirs) = bounded(1);
    let eyes = open_eyes(folder(gateway), stirred.clone());
    let gateway = Arc::downgrade(gateway);
    let work = move || watch(&gateway, seen, eyes, &stirred, &stirs);
    thread::Builder::new().name("watch".into()).spawn(work)?;
    Ok(())
}

/// Decides by content, never by the kind of an event: what was compared last, and what is there.
fn watch(
    gateway: &Weak<Shared>,
    mut seen: u64,
    mut eyes: Option<Eyes>,
    stirred: &Sender<()>,
    stirs: &Receiver<()>,
) {
    loop {
        let Some(folder) = gateway.upgrade().map(|gateway| folder(&gateway)) else { return };
        if eyes.as_ref().is_none_or(|eyes| eyes.folder != folder) {
            eyes = open_eyes(folder.clone(), stirred.clone());
        }
        settle(stirs);
        let now = Shelf::new(&folder).fingerprint();
        if now != seen {
            seen = now;
            let Some(gateway) = gateway.upgrade() else { return };
            take_up(&gateway);
        }
    }
}

fn folder(gateway: &Shared) -> PathBuf {
    gateway.control().config().policies.clone()
}

fn open_eyes(folder: PathBuf, stirred: Sender<()>) -> Option<Eyes> {
    let mut watcher = notify::recommended_watcher(move |_| {
        // A full channel says already what is to be said.
        let _ = stirred.try_send(());
    })
    .ok()?;
    watcher.watch(&folder, RecursiveMode::NonRecursive).ok()?;
    Some(Eyes { folder, _watcher: watcher })
}

/// Waits for a stir and the quiet after it, or for the next look.
fn settle(stirs: &Receiver<()>) {
    if stirs.recv_timeout(LOOK).is_ok() {
        while stirs.recv_timeout(SETTLE).is_ok() {}
    }
}

fn take_up(gateway: &Shared) {
    match gateway.control().reload_policies() {
        Ok(done) => tracing::info!("policy files changed: {done}"),
        Err(refused) => {
            tracing::error!("policy files changed, but nothing is taken up:");
            refused.lines().for_each(|line| tracing::error!("{line}"));
        }
    }
}
