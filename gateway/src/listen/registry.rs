//! All connections of a worker.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use bytes::BytesMut;
use tokio::sync::Notify;

use super::date::Date;
use crate::alarm::Alarms;

/// The worker reads the beginnings of requests into pieces of this size; many share one.
const CHUNK: usize = 16 * 1024;
/// With less room than this left, a new piece is begun.
pub(super) const FIRST_READ: usize = 2 * 1024;

/// Counts a worker's client connections and tells them when it is time to go.
#[derive(Debug, Default)]
pub struct Registry {
    open: Cell<usize>,
    accepted: Cell<u64>,
    draining: Cell<bool>,
    empty: Notify,
    /// Where heads of requests are read.
    chunk: RefCell<BytesMut>,
    pub(super) date: Date,
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

    /// Looks at the clock for the answers of the next while. The worker calls this in its round.
    pub fn refresh_date(&self) {
        self.date.refresh();
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

    /// Where to read the beginning of a request: empty, with room. What was read is split off.
    pub(super) fn chunk(&self) -> RefMut<'_, BytesMut> {
        let mut chunk = self.chunk.borrow_mut();
        if chunk.capacity() < FIRST_READ {
            chunk.reserve(CHUNK);
        }
        chunk
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
