//! What the service manager is told (sd_notify(3)). Without one, nothing happens.

use sd_notify::NotifyState;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}

/// The gateway serves.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the service manager cannot be told: {error}"),
    }
}

/// The gateway ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Another process is the gateway from here on.
pub(super) fn succeeded_by(process: u32) {
    tell(&[NotifyState::MainPid(process)]);
}
