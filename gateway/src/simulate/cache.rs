//! What a backend remembers of the keys it has served.

use std::collections::HashMap;

/// No neighbour.
const NONE: u32 = u32::MAX;

/// The most recently used keys, up to a number (LRU): entries form a list from new to old.
#[derive(Debug)]
pub(super) struct Cache {
    room: usize,
    places: HashMap<u64, u32>,
    entries: Vec<Entry>,
    newest: u32,
    oldest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    newer: u32,
    older: u32,
}

impl Cache {
    pub(super) fn new(room: usize) -> Self {
        let room = room.clamp(1, NONE as usize - 1);
        Self { room, places: HashMap::new(), entries: Vec::new(), newest: NONE, oldest: NONE }
    }

    /// Forgets everything, as a restarted process does.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.room);
    }

    /// Was it there? It is now.
    pub(super) fn touch(&mut self, key: u64) -> bool {
        if let Some(place) = self.places.get(&key).copied() {
            self.unlink(place);
            self.put_first(place);
            return true;
        }
        let entry = Entry { key, newer: NONE, older: NONE };
        let place = if self.entries.len() < self.room {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        } else {
            let place = self.oldest;
            self.unlink(place);
            self.places.remove(&self.entries[place as usize].key);
            self.entries[place as usize] = entry;
            place
        };
        self.places.insert(key, place);
        self.put_first(place);
        false
    }

    fn unlink(&mut self, place: u32) {
        let Entry { newer, older, .. } = self.entries[place as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
    }

    fn put_first(&mut self, place: u32) {
        let older = std::mem::replace(&mut self.newest, place);
        let entry = &mut self.entries[place as usize];
        (entry.newer, entry.older) = (NONE, older);
        match older {
            NONE => self.oldest = place,
            older => self.entries[older as usize].newer = place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten_first() {
        let mut cache = Cache::new(2);
        assert_eq!([1, 2, 1, 3].map(|key| cache.touch(key)), [false, false, true, false]);
        assert!(cache.touch(1), "used after 2");
        assert!(!cache.touch(2), "3 took its place");
        assert!(!cache.touch(3), "and 2 that of 3");
    }

    #[test]
    fn a_cache_of_one_remembers_the_last_key() {
        let mut cache = Cache::new(1);
        assert_eq!([7, 7, 8, 7].map(|key| cache.touch(key)), [false, true, false, false]);
        cache.clear();
        assert!(!cache.touch(7));
    }
}
