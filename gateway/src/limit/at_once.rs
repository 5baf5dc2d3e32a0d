//! How many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A key is looked for in so many places after its own: four cache lines.
const WINDOW: usize = 32;
/// The lower bits of a place count, those above tell the key.
const COUNT_BITS: u32 = 24;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

/// Counts by key. A place holds key and count in one word, so that both change at once; a count of
/// zero frees the place.
#[derive(Debug)]
pub struct AtOnce {
    slots: Box<[AtomicU64]>,
}

/// There are as many already, or no room to count one more key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// One that is counted until this is dropped.
#[derive(Debug)]
pub struct Presence {
    counts: Arc<AtOnce>,
    place: usize,
}

impl AtOnce {
    /// Bytes that each key takes.
    pub const KEY: usize = size_of::<AtomicU64>();
    /// The largest count there can be.
    pub const MOST: u64 = COUNT;

    /// Counts for about `keys` keys at the same time.
    #[must_use]
    pub fn new(keys: usize) -> Arc<Self> {
        let slots = keys.max(WINDOW).next_power_of_two();
        Arc::new(Self { slots: (0..slots).map(|_| AtomicU64::new(0)).collect() })
    }

    /// One more with a key whose hash is `key`, if there are fewer than `max`.
    ///
    /// # Errors
    /// [`Full`].
    pub fn enter(self: &Arc<Self>, key: u64, max: u64) -> Result<Presence, Full> {
        let tag = key >> COUNT_BITS;
        loop {
            let (place, word) = self.find(key as usize, tag).ok_or(Full)?;
            let present = word & COUNT;
            if present >= max.min(COUNT) {
                return Err(Full);
            }
            let next = (tag << COUNT_BITS) | (present + 1);
            if self.slots[place].compare_exchange(word, next, Relaxed, Relaxed).is_ok() {
                return Ok(Presence { counts: Arc::clone(self), place });
            }
        }
    }

    /// Where the key is, else the first free place, and what is there. A key that is entered by
    /// two workers while a place before its own becomes free may for a while be in both.
    fn find(&self, first: usize, tag: u64) -> Option<(usize, u64)> {
        let mut free = None;
        for step in 0..WINDOW {
            let place = (first + step) & (self.slots.len() - 1);
            let word = self.slots[place].load(Relaxed);
            if word & COUNT == 0 {
                free = free.or(Some((place, word)));
            } else if word >> COUNT_BITS == tag {
                return Some((place, word));
            }
        }
        free
    }

    /// How many are present, over all keys.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.slots.iter().map(|slot| slot.load(Relaxed) & COUNT).sum()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.counts.slots[self.place].fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u64) -> u64 {
        key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn so_many_are_let_in_and_one_more_when_one_has_left() {
        let counts = AtOnce::new(64);
        let first = counts.enter(hash(1), 2).unwrap();
        let _second = counts.enter(hash(1), 2).unwrap();
        assert_eq!(counts.enter(hash(1), 2).unwrap_err(), Full);
        assert!(counts.enter(hash(2), 2).is_ok(), "others are others");
        drop(first);
        assert!(counts.enter(hash(1), 2).is_ok());
    }

    #[test]
    fn nothing_is_left_of_those_who_left() {
        let counts = AtOnce::new(64);
        for key in 0..10_000 {
            let _guard = counts.enter(hash(key), 1).unwrap();
        }
        assert_eq!(counts.present(), 0);
    }

    #[test]
    fn without_room_nobody_is_let_in() {
        let counts = AtOnce::new(1);
        let guards: Vec<_> = (0..WINDOW as u64).map(|key| counts.enter(key << COUNT_BITS, 1)).collect();
        assert!(guards.iter().all(Result::is_ok));
        assert_eq!(counts.enter(99 << COUNT_BITS, 1).unwrap_err(), Full);
    }

    #[test]
    fn workers_count_together() {
        let counts = AtOnce::new(1024);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..2_000_u64 {
                        drop(counts.enter(hash(round % 7), 3));
                    }
                });
            }
        });
        assert_eq!(counts.present(), 0);
    }
}
