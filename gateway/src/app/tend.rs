//! Keeping the candidates true to who is well, away from the workers.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::shared::Shared;

/// While a backend starts slowly its weight is raised this often.
const STEP: Duration = Duration::from_secs(1);

/// Starts the thread that waits for changes in health. It ends when the gateway is gone.
pub(super) fn start(gateway: &Arc<Shared>, rings: Receiver<()>) -> std::io::Result<()> {
    let gateway = Arc::downgrade(gateway);
    thread::Builder::new().name("tend".into()).spawn(move || tend(&gateway, &rings))?;
    Ok(())
}

fn tend(gateway: &Weak<Shared>, rings: &Receiver<()>) {
    // Who joins with a reload may start slowly, which rings no bell: the first steps are taken
    // without one.
    let mut rising = true;
    loop {
        let rung = if rising {
            rings.recv_timeout(STEP)
        } else {
            rings.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        let Some(gateway) = gateway.upgrade() else { return };
        if rung == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        rising = gateway.control().tend();
    }
}
