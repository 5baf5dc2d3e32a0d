//! All connections of a worker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::alarm::Alarms;

/// Counts a worker's client connections and tells them when it is time to go.
#[derive(Debug, Default)]
pub struct Registry {
    open: Cell<usize>,
    accepted: Cell<u64>,
    draining: Cell<bool>,
    empty: Notify,
    /// Where small writes are joined; see `io`.
    pub(super) scratch: Rc<RefCell<Vec<u8>>>,
}

impl Registry {
    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.get()
    }

    /// Is this worker taking leave of its clients?
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Asks every connection to end after the request it is serving; idle ones end now.
    pub fn drain(&self, alarms: &Alarms) {
        self.draining.set(true);
        alarms.wake_all();
    }

    /// Waits until no connection is open.
    pub async fn emptied(&self) {
        while self.open.get() > 0 {
            self.empty.notified().await;
        }
    }

    pub(super) fn enter(self: &Rc<Self>) -> Presence {
        self.open.set(self.open.get() + 1);
        self.accepted.set(self.accepted.get() + 1);
        Presence(Rc::clone(self))
    }
}

/// One connection's entry.
#[derive(Debug)]
pub(super) struct Presence(Rc<Registry>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            self.0.empty.notify_waiters();
        }
    }
}
