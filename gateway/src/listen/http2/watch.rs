//! What a connection waits for: its next request, or a client that does not read.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::listen::{Peer, Settings};

/// Sets the connection's alarm by what goes on: the time to send while the client has to take
/// something (bytes of the connection, or data of a stream for which it has opened no window), the
/// idle time when no request is served, else none.
#[derive(Debug)]
pub(super) struct Watch {
    peer: Rc<Peer>,
    serving: Cell<u32>,
    /// Did the last write find no room? Then something is still to be sent.
    stalled: Cell<bool>,
    /// Answers that could go on if the client let them.
    held_up: Cell<u32>,
    idle_timeout: Duration,
    send_timeout: Duration,
}

impl Watch {
    pub(super) fn new(peer: Rc<Peer>, settings: &Settings) -> Self {
        Self {
            peer,
            serving: Cell::new(0),
            stalled: Cell::new(false),
            held_up: Cell::new(0),
            idle_timeout: settings.idle_timeout,
            send_timeout: settings.send_timeout,
        }
    }

    pub(super) fn peer(&self) -> &Rc<Peer> {
        &self.peer
    }

    /// A write found no room, or found some again.
    pub(super) fn note_write(&self, stalled: bool) {
        if self.stalled.replace(stalled) != stalled {
            self.set_alarm();
        }
    }

    fn set_alarm(&self) {
        let alarm = &self.peer.alarm;
        match (self.stalled.get() || self.held_up.get() > 0, self.serving.get()) {
            (true, _) => alarm.set(self.send_timeout),
            (false, 0) => alarm.set(self.idle_timeout),
            (false, _) => alarm.clear(),
        }
    }
}

/// A request being served: from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Serving {
    watch: Rc<Watch>,
    held_up: bool,
}

impl Serving {
    pub(super) fn begin(watch: &Rc<Watch>) -> Self {
        watch.peer.count_request();
        if watch.serving.replace(watch.serving.get() + 1) == 0 {
            watch.set_alarm();
        }
        Self { watch: Rc::clone(watch), held_up: false }
    }

    pub(super) fn peer(&self) -> &Rc<Peer> {
        self.watch.peer()
    }

    /// Is it the client whom the answer waits for? Each time it has taken something, it is given
    /// the whole time again.
    pub(super) fn set_held_up(&mut self, held_up: bool) {
        let change = u32::from(held_up).wrapping_sub(u32::from(self.held_up));
        self.held_up = held_up;
        self.watch.held_up.set(self.watch.held_up.get().wrapping_add(change));
        self.watch.set_alarm();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.watch.serving.set(self.watch.serving.get() - 1);
        self.set_held_up(false);
    }
}
