//! Which session is at which backend: what was learnt from answers and requests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Parts of the table, each behind a lock of its own: workers seldom meet.
const SHARDS: usize = 16;

/// The sessions of one upstream, over all workers and generations. It is bounded, and what was not
/// used for longest is forgotten first. Of a session only a hash of its name is kept.
#[derive(Debug, Default)]
pub struct Sessions {
    shards: [Mutex<Shard>; SHARDS],
}

/// Two halves: what is used moves to the young one, and when that is full the old one is
/// forgotten.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u128, Session>,
    old: HashMap<u128, Session>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    /// Slot of the backend: it stays the same over reloads.
    slot: usize,
    used: u64,
}

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Most sessions.
    pub sessions: usize,
    /// A session that is not used for so long is forgotten.
    pub timeout: Duration,
}

impl Memory {
    fn is_over(&self, session: Session, now: u64) -> bool {
        u128::from(now.saturating_sub(session.used)) > self.timeout.as_micros()
    }
}

impl Sessions {
    /// The slot of the backend that has this session, which is used now.
    #[must_use]
    pub fn find(&self, key: u128, memory: Memory, now: u64) -> Option<usize> {
        let mut shard = self.shard(key);
        let found = shard.young.get(&key).or_else(|| shard.old.get(&key)).copied()?;
        if memory.is_over(found, now) {
            return None;
        }
        shard.insert(key, Session { used: now, ..found }, memory);
        Some(found.slot)
    }

    /// Remembers that this session is at the backend with this slot.
    pub fn learn(&self, key: u128, slot: usize, memory: Memory, now: u64) {
        self.shard(key).insert(key, Session { slot, used: now }, memory);
    }

    /// Sessions that are remembered, those included whose time is up.
    #[must_use]
    pub fn count(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        // A table of guesses is consistent at any moment.
        self.shards[key as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, key: u128, session: Session, memory: Memory) {
        self.old.remove(&key);
        self.young.insert(key, session);
        if self.young.len() > memory.sessions.div_ceil(2 * SHARDS) {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const MEMORY: Memory = Memory { sessions: 3_200, timeout: Duration::from_secs(60) };

    #[test]
    fn a_session_is_found_until_it_is_not_used_for_too_long() {
        let sessions = Sessions::default();
        sessions.learn(7, 2, MEMORY, SECOND);
        assert_eq!(sessions.find(7, MEMORY, 50 * SECOND), Some(2));
        assert_eq!(sessions.find(7, MEMORY, 100 * SECOND), Some(2), "using it keeps it");
        assert_eq!(sessions.find(7, MEMORY, 161 * SECOND), None);
        assert_eq!(sessions.find(8, MEMORY, SECOND), None);
    }

    #[test]
    fn a_session_can_move() {
        let sessions = Sessions::default();
        sessions.learn(7, 2, MEMORY, 1);
        sessions.learn(7, 5, MEMORY, 2);
        assert_eq!((sessions.find(7, MEMORY, 3), sessions.count()), (Some(5), 1));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_is_used() {
        let sessions = Sessions::default();
        sessions.learn(0, 9, MEMORY, 1);
        for key in 1..100_000 {
            sessions.learn(key, 1, MEMORY, 1);
            if key % 50 == 0 {
                assert_eq!(sessions.find(0, MEMORY, 1), Some(9));
            }
        }
        assert!(sessions.count() <= MEMORY.sessions + SHARDS, "{}", sessions.count());
    }
}
