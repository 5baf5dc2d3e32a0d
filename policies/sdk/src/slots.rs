//! The slots that nginx's `hash` and `ip_hash` map to: each backend has as many as its weight,
//! in the order of the configuration, and keeps them while it is down.

use crate::Choice;
use crate::upstream::Member;

/// After so many misses nginx gives up and takes turns.
const MISSES_MAX: u32 = 20;

/// The slots of an upstream.
#[derive(Clone, Debug)]
pub struct Slots {
    /// Where the slots of each member end.
    ends: Vec<u64>,
    /// The candidate behind each member; none while it is down.
    candidates: Vec<Option<u32>>,
    /// The weight that all members have; none if they differ.
    weight: Option<u64>,
}

impl Slots {
    /// The slots of these members.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let weights = || members.iter().map(|member| u64::from(member.backend.weight.max(1)));
        let end = |sum: &mut u64, weight| {
            *sum += weight;
            Some(*sum)
        };
        let weight = weights().next().filter(|first| weights().all(|weight| weight == *first));
        let candidates = members.iter().map(|member| member.candidate).collect();
        Self { ends: weights().scan(0, end).collect(), candidates, weight }
    }

    /// Follows `hashes` to the first slot whose backend is fit and was not tried before. After
    /// 20 misses the gateway's round robin decides, as in nginx.
    ///
    /// A retry in nginx goes on with the next hash. Here the walk begins anew and comes past
    /// those it ended at before: they are the tried ones, met for the first time, and no misses.
    pub fn pick(&self, tried: &[u32], mut hashes: impl FnMut() -> u64) -> Choice {
        let Some(total) = self.ends.last() else {
            return Choice::Abstain;
        };
        let mut met = vec![false; tried.len()];
        let mut misses = 0;
        while misses <= MISSES_MAX {
            let Some(candidate) = self.candidate(hashes() % total) else {
                misses += 1;
                continue;
            };
            match tried.iter().position(|tried| *tried == candidate) {
                None => return Choice::Backend(candidate),
                Some(earlier) if met[earlier] => misses += 1,
                Some(earlier) => met[earlier] = true,
            }
        }
        Choice::Abstain
    }

    fn candidate(&self, slot: u64) -> Option<u32> {
        let member = match self.weight {
            Some(weight) => (slot / weight) as usize,
            None => self.ends.partition_point(|end| *end <= slot),
        };
        self.candidates.get(member).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;
    use crate::Choice::{Abstain, Backend};
    use crate::testing::{backends, members};

    fn slots(weights: &[u32], down: &[usize]) -> Slots {
        Slots::new(&members(&backends(weights), down))
    }

    /// Where each of these slots leads, without a way on.
    fn owners(slots: &Slots, range: std::ops::Range<u64>) -> Vec<Option<u32>> {
        range.map(|slot| slots.candidate(slot)).collect()
    }

    #[test]
    fn a_backend_has_as_many_slots_as_its_weight() {
        let [a, b, c] = [Some(0), Some(1), Some(2)];
        assert_eq!(owners(&slots(&[1, 3, 2], &[]), 0..6), [a, b, b, b, c, c]);
        assert_eq!(owners(&slots(&[2, 2, 2], &[]), 0..6), [a, a, b, b, c, c]);
        assert_eq!(slots(&[65535; 100], &[]).pick(&[], || 6_553_499), Backend(99));
    }

    #[test]
    fn who_is_down_keeps_its_slots_and_sends_on() {
        let slots = slots(&[1, 3, 2], &[1]);
        assert_eq!(owners(&slots, 0..6), [Some(0), None, None, None, Some(1), Some(1)]);
        let mut hashes = [2, 3, 5].into_iter();
        assert_eq!(slots.pick(&[], || hashes.next().unwrap_or(0)), Backend(1));
    }

    #[test]
    fn gives_up_after_twenty_misses() {
        let slots = slots(&[1, 1], &[0]);
        let leads_to = |hit_at: u64| {
            let mut calls = 0;
            slots.pick(&[], || {
                calls += 1;
                u64::from(calls > hit_at)
            })
        };
        assert_eq!(leads_to(20), Backend(0));
        assert_eq!(leads_to(21), Abstain);
        assert_eq!(Slots::new(&[]).pick(&[], || 0), Abstain);
    }

    #[test]
    fn the_end_of_an_earlier_walk_is_no_miss() {
        let slots = slots(&[1, 1, 1], &[]);
        let mut walk = std::iter::once(0).chain(std::iter::repeat_n(1, 1 + 20)).chain([2]);
        assert_eq!(slots.pick(&[0, 1], || walk.next().unwrap_or(0)), Backend(2));
        assert_eq!(slots.pick(&[0, 1], || 0), Abstain);
    }
}
