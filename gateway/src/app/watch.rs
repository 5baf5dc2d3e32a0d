//! Taking up changed policy files.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{RecursiveMode, Watcher};

use super::Shelf;
use super::shared::Shared;

/// Editors write in several steps: after the first sign of a change so much quiet is awaited.
const SETTLE: Duration = Duration::from_millis(150);
/// However quiet it is, the folder is looked at this often: some file systems send no events,
/// and a folder that is replaced whole takes its watch with it.
const LOOK: Duration = Duration::from_secs(2);

/// Starts the thread that watches the folder of policies. It ends when the gateway is gone.
/// `seen` is the folder's fingerprint from before its files were loaded: what has changed since
/// then is taken up.
pub(super) fn start(gateway: &Arc<Shared>, seen: u64) -> std::io::Result<()> {
    let gateway = Arc::downgrade(gateway);
    thread::Builder::new().name("watch".into()).spawn(move || watch(&gateway, seen))?;
    Ok(())
}

/// Decides by content, never by the kind of an event: what was compared last, and what is there.
fn watch(gateway: &Weak<Shared>, mut seen: u64) {
    let (stirred, stirs) = bounded(1);
    let mut eyes: Option<(std::path::PathBuf, notify::RecommendedWatcher)> = None;
    loop {
        let Some(strong) = gateway.upgrade() else { return };
        let folder = strong.control().config().policies.clone();
        drop(strong);
        if eyes.as_ref().is_none_or(|(watched, _)| *watched != folder) {
            eyes = open_eyes(&folder, stirred.clone()).map(|watcher| (folder.clone(), watcher));
        }
        settle(&stirs);
        let now = Shelf::new(&folder).fingerprint();
        if now != seen {
            seen = now;
            let Some(gateway) = gateway.upgrade() else { return };
            take_up(&gateway);
        }
    }
}

fn open_eyes(folder: &Path, stirred: Sender<()>) -> Option<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |_| {
        // A full channel says already what is to be said.
        let _ = stirred.try_send(());
    })
    .ok()?;
    watcher.watch(folder, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
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
