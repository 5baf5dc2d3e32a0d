//! Replacing instances that failed, away from the workers.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::thread;

use crossbeam_channel::Receiver;

use super::shared::Shared;
use crate::policy::{Ended, Verdict};

/// Starts the thread that waits for faults. It ends when the gateway is gone.
pub(super) fn start(gateway: &Arc<Shared>, faults: Receiver<Ended>) -> std::io::Result<()> {
    let gateway = Arc::downgrade(gateway);
    thread::Builder::new().name("mend".into()).spawn(move || mend(&gateway, &faults))?;
    Ok(())
}

fn mend(gateway: &Weak<Shared>, faults: &Receiver<Ended>) {
    while let Ok(first) = faults.recv() {
        let Some(gateway) = gateway.upgrade() else { return };
        let mut control = gateway.control();
        let workers = control.config().workers.get();
        let mut broken = BTreeSet::new();
        for ended in std::iter::once(first).chain(faults.try_iter()) {
            match ended.verdict {
                Verdict::Replace => drop(broken.insert((ended.upstream, ended.worker))),
                Verdict::Quarantine => {
                    tracing::error!(
                        "upstream {}: its policy failed too often and is in quarantine",
                        ended.upstream
                    );
                    broken.extend((0..workers).map(|worker| (Arc::clone(&ended.upstream), worker)));
                }
            }
        }
        for (upstream, worker) in broken {
            control.replace(&upstream, worker);
        }
    }
}
