//! What a connection waits for: its next request, or a client that does not read.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::listen::{Peer, Settings};

/// Sets the connection's alarm by what goes on: none while requests are served, the idle time
/// when none is, the time to send while a write finds no room.
#[derive(Debug)]
pub(super) struct Watch {
    peer: Rc<Peer>,
    serving: Cell<u32>,
    /// Did the last write find no room? Then something is still to be sent.
    stalled: Cell<bool>,
    idle_timeout: Duration,
    send_timeout: Duration,
}

impl Watch {
    pub(super) fn new(peer: Rc<Peer>, settings: &Settings) -> Self {
        let Settings { idle_timeout, send_timeout, .. } = *settings;
        Self { peer, serving: Cell::new(0), stalled: Cell::new(false), idle_timeout, send_timeout }
    }

    pub(super) fn peer(&self) -> &Rc<Peer> {
        &self.peer
    }

    /// A write found no room, or found some again.
    pub(super) fn note_write(&self, stalled: bool) {
        if self.stalled.replace(stalled) == stalled {
            return;
        }
        match (stalled, self.serving.get()) {
            (true, _) => self.peer.alarm.set(self.send_timeout),
            (false, 0) => self.peer.alarm.set(self.idle_timeout),
            (false, _) => self.peer.alarm.clear(),
        }
    }
}

/// A request being served: from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Serving(Rc<Watch>);

impl Serving {
    pub(super) fn begin(watch: &Rc<Watch>) -> Self {
        watch.peer.count_request();
        if watch.serving.replace(watch.serving.get() + 1) == 0 && !watch.stalled.get() {
            watch.peer.alarm.clear();
        }
        Self(Rc::clone(watch))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let watch = &self.0;
        watch.serving.set(watch.serving.get() - 1);
        if watch.serving.get() == 0 && !watch.stalled.get() {
            watch.peer.alarm.set(watch.idle_timeout);
        }
    }
}
