//! Requests that wait because every backend has as many as it may.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst, fence};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The queue of one upstream, over all workers and generations: first come, first served.
#[derive(Debug, Default)]
pub struct Queue {
    room: Notify,
    waiting: AtomicU32,
    entered: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
}

/// What a queue has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueTotals {
    /// Waiting now.
    pub waiting: u32,
    /// Requests that had to wait.
    pub entered: u64,
    /// Requests that found it full.
    pub refused: u64,
    /// Requests that waited in vain.
    pub expired: u64,
}

impl Queue {
    /// A place in the queue, if less than `length` wait.
    #[must_use]
    pub fn enter(&self, length: u32) -> Option<Place<'_>> {
        let entered =
            self.waiting.fetch_update(SeqCst, SeqCst, |waiting| (waiting < length).then_some(waiting + 1));
        let counter = if entered.is_ok() { &self.entered } else { &self.refused };
        counter.fetch_add(1, SeqCst);
        entered.is_ok().then(|| Place { queue: self })
    }

    /// Does anybody wait? Who comes now must not overtake them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.load(SeqCst) == 0
    }

    /// A backend has room again, or there are other backends.
    pub fn make_room(&self) {
        // Whoever waits looks for room after it has begun to wait, and room is made before this:
        // one of the two sees the other.
        fence(SeqCst);
        if !self.is_empty() {
            self.room.notify_one();
        }
    }

    /// Wakes all of them: the candidates have changed.
    pub fn stir(&self) {
        self.room.notify_waiters();
    }

    /// What it has seen.
    #[must_use]
    pub fn totals(&self) -> QueueTotals {
        QueueTotals {
            waiting: self.waiting.load(SeqCst),
            entered: self.entered.load(SeqCst),
            refused: self.refused.load(SeqCst),
            expired: self.expired.load(SeqCst),
        }
    }
}

/// A request's place in the queue, given up when it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    queue: &'a Queue,
}

impl<'a> Place<'a> {
    /// Ready when it is this one's turn to look for room. Enable it before looking once more.
    pub fn turn(&self) -> Notified<'a> {
        self.queue.room.notified()
    }

    /// It waited in vain.
    pub fn expire(&self) {
        self.queue.expired.fetch_add(1, SeqCst);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_counts() {
        let queue = Queue::default();
        let first = queue.enter(1);
        assert!(first.is_some() && queue.enter(1).is_none() && !queue.is_empty());
        drop(first);
        assert!(queue.is_empty() && queue.enter(1).is_some());
        assert_eq!(queue.totals(), QueueTotals { waiting: 0, entered: 2, refused: 1, expired: 0 });
    }

    #[tokio::test]
    async fn the_first_in_the_queue_is_the_first_out() {
        let queue = Queue::default();
        let (first, second) = (queue.enter(9).unwrap(), queue.enter(9).unwrap());
        let (mut one, mut two) = (Box::pin(first.turn()), Box::pin(second.turn()));
        assert!(!one.as_mut().enable() && !two.as_mut().enable());
        queue.make_room();
        one.await;
        assert!(!two.as_mut().enable(), "one room, one turn");
        queue.make_room();
        two.await;
    }

    #[tokio::test]
    async fn who_leaves_when_it_is_called_passes_the_turn_on() {
        let queue = Queue::default();
        let (first, second) = (queue.enter(9).unwrap(), queue.enter(9).unwrap());
        let (mut one, mut two) = (Box::pin(first.turn()), Box::pin(second.turn()));
        one.as_mut().enable();
        two.as_mut().enable();
        queue.make_room();
        drop(one);
        two.await;
    }
}
