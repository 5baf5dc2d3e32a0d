//! Idle connections, one pool a worker.

use std::cell::RefCell;

use super::http1::Connection;
use super::http2::Lanes;

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: u64,
}

/// The idle connections of one worker to all backends. Never shared: no lock, and a connection
/// is used again by the core that last touched it.
#[derive(Debug, Default)]
pub struct Pools {
    by_slot: RefCell<Vec<Vec<Idle>>>,
    /// Those that speak HTTP/2, idle or not.
    pub lanes: Lanes,
}

impl Pools {
    /// The connection that went idle last, if one is still open and went idle after `oldest`
    /// (microseconds).
    #[must_use]
    pub fn take(&self, slot: usize, oldest: u64) -> Option<Box<Connection>> {
        let mut pools = self.by_slot.borrow_mut();
        let pool = pools.get_mut(slot)?;
        while let Some(mut idle) = pool.pop() {
            if idle.since < oldest {
                // Those below are older still.
                pool.clear();
                return None;
            }
            if idle.connection.is_quiet() {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Keeps a connection that has served its request, unless `limit` are idle already.
    pub fn put(&self, slot: usize, connection: Box<Connection>, limit: usize, now: u64) {
        let mut pools = self.by_slot.borrow_mut();
        if pools.len() <= slot {
            pools.resize_with(slot + 1, Vec::new);
        }
        if pools[slot].len() < limit {
            pools[slot].push(Idle { connection, since: now });
        }
    }

    /// Closes what went idle before `oldest(slot)` and what the backend has closed. `None`
    /// closes all of the slot: its backend is gone.
    pub fn sweep(&self, oldest: impl Fn(usize) -> Option<u64>) {
        self.lanes.sweep(&oldest);
        for (slot, pool) in self.by_slot.borrow_mut().iter_mut().enumerate() {
            match oldest(slot) {
                Some(oldest) => pool.retain_mut(|idle| idle.since >= oldest && idle.connection.is_quiet()),
                None => *pool = Vec::new(),
            }
        }
    }

    /// Number of idle connections.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.by_slot.borrow().iter().map(Vec::len).sum()
    }
}
