//! What is told in the gateway's log, and not too often.

use std::cell::Cell;

use crate::stats::clock;

/// One kind of complaint is made at most this often by a worker, microseconds: when a backend is
/// gone, or a client sends nonsense, every request would.
const BETWEEN: u64 = 1_000_000;

/// Complaints of one kind.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Cell<u64>,
    unsaid: Cell<u64>,
}

impl Complaints {
    /// Calls `say` if a complaint may be made now, with what to add about those that were not.
    pub(super) fn make(&self, say: impl FnOnce(&str)) {
        self.make_at(clock::now(), say);
    }

    fn make_at(&self, now: u64, say: impl FnOnce(&str)) {
        if self.last.get() != 0 && now.saturating_sub(self.last.get()) < BETWEEN {
            self.unsaid.set(self.unsaid.get() + 1);
            return;
        }
        self.last.set(now);
        match self.unsaid.replace(0) {
            0 => say(""),
            unsaid => say(&format!(" ({unsaid} more like this went unsaid)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_made_at_once_and_those_right_after_are_counted() {
        let (complaints, said) = (Complaints::default(), std::cell::RefCell::new(Vec::new()));
        for now in [5, 6, 7, 5 + BETWEEN, 6 + BETWEEN] {
            complaints.make_at(now, |more| said.borrow_mut().push(more.to_owned()));
        }
        assert_eq!(said.into_inner(), ["", " (2 more like this went unsaid)"]);
    }
}
