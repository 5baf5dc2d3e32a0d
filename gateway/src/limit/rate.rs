//! How many requests in a time: nginx's leaky bucket.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Keys are looked for in a set of so many places: two cache lines.
const WAYS: usize = 8;

/// The clock of buckets begins here, so that a bucket may always be given back a request.
const DAWN: u64 = 10 * 24 * 3_600 * NANOS;
const NANOS: u64 = 1_000_000_000;

/// Requests in a time, as the time between two: nanoseconds, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    /// `count` requests in each `period`; none if that is none, or more than one a nanosecond, or
    /// less than one in ten days.
    #[must_use]
    pub fn new(count: u64, period: Duration) -> Option<Self> {
        let nanos = u64::try_from(period.as_nanos()).ok()?;
        nanos.checked_div(count).filter(|interval| (1..=DAWN).contains(interval)).map(Self)
    }

    fn times(self, count: u64) -> u64 {
        self.0.saturating_mul(count)
    }
}

/// What holds for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What leaks out of the bucket.
    pub rate: Rate,
    /// Requests that may come earlier than the rate allows (nginx `burst`).
    pub burst: u64,
    /// So many of those are served at once, the rest when the rate allows (nginx `delay`; with
    /// `nodelay` all of them).
    pub prompt: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It passes now, or after this time; then it is in the bucket, which can give it back.
    Pass(Duration, Taken),
    /// It is one too many; after this time one more would be allowed.
    Refused(Duration),
}

/// The place of a request that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken(usize);

/// The buckets of all keys. A bucket is the time at which it will have drained: an empty one
/// drained in the past. When there is no room for a new key, the bucket of its set that drains
/// first is forgotten.
#[derive(Debug)]
pub struct Rates {
    slots: Box<[Slot]>,
}

#[derive(Debug, Default)]
struct Slot {
    /// 0 while it is free.
    key: AtomicU64,
    drained: AtomicU64,
}

impl Rates {
    /// Bytes that each key takes.
    pub const KEY: usize = size_of::<Slot>();

    /// Buckets for about `keys` keys, at least one set of them.
    #[must_use]
    pub fn new(keys: usize) -> Self {
        let sets = keys.div_ceil(WAYS).next_power_of_two();
        Self { slots: (0..sets * WAYS).map(|_| Slot::default()).collect() }
    }

    /// How many keys there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.slots.len()
    }

    /// A request with a key whose hash is `key`, at `now` (microseconds of the gateway's clock).
    #[must_use]
    pub fn ask(&self, key: u64, now: u64, rule: Rule) -> Answer {
        let now = DAWN + now * 1_000;
        let place = self.place(key.max(1));
        let bucket = &self.slots[place].drained;
        let mut drained = bucket.load(Relaxed);
        loop {
            // The first request of a key leaves its bucket empty, as in nginx: `burst` counts
            // those beyond it.
            let next = if drained == 0 { now } else { (drained + rule.rate.0).max(now) };
            let excess = next - now;
            let most = rule.rate.times(rule.burst);
            if excess > most {
                return Answer::Refused(Duration::from_nanos(excess - most));
            }
            match bucket.compare_exchange_weak(drained, next, Relaxed, Relaxed) {
                Ok(_) => {
                    let wait = excess.saturating_sub(rule.rate.times(rule.prompt));
                    return Answer::Pass(Duration::from_nanos(wait), Taken(place));
                }
                Err(other) => drained = other,
            }
        }
    }

    /// Takes a request out again that another limit has refused.
    pub fn give_back(&self, taken: Taken, rule: Rule) {
        let less = |drained: u64| Some(drained.saturating_sub(rule.rate.0));
        // The closure always answers.
        let _ = self.slots[taken.0].drained.fetch_update(Relaxed, Relaxed, less);
    }

    /// The place of a key: where it is, else that of the bucket in its set that drains first. Two
    /// workers that do this to the same place at once may count one request for the wrong key.
    fn place(&self, key: u64) -> usize {
        let first = (key as usize % (self.slots.len() / WAYS)) * WAYS;
        let set = &self.slots[first..first + WAYS];
        loop {
            if let Some(way) = set.iter().position(|slot| slot.key.load(Relaxed) == key) {
                return first + way;
            }
            let drained = |way: &usize| set[*way].drained.load(Relaxed);
            let way = (0..WAYS).min_by_key(drained).unwrap_or(0);
            let old = set[way].key.load(Relaxed);
            if set[way].key.compare_exchange(old, key, Relaxed, Relaxed).is_ok() {
                set[way].drained.store(0, Relaxed);
                return first + way;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn rule(per_second: u64, burst: u64, prompt: u64) -> Rule {
        Rule { rate: Rate::new(per_second, Duration::from_secs(1)).unwrap(), burst, prompt }
    }

    /// What becomes of requests at these times (milliseconds): how long each waits, in
    /// milliseconds; none for those refused.
    fn waits(rule: Rule, at: &[u64]) -> Vec<Option<u128>> {
        let rates = Rates::new(8);
        let ask = |millis: &u64| match rates.ask(7, millis * 1_000 + 1, rule) {
            Answer::Pass(wait, _) => Some(wait.as_millis()),
            Answer::Refused(_) => None,
        };
        at.iter().map(ask).collect()
    }

    #[test]
    fn without_burst_one_passes_each_interval() {
        let times = [0, 10, 99, 100, 101, 1_000, 1_050];
        let expected = [Some(0), None, None, Some(0), None, Some(0), None];
        assert_eq!(waits(rule(10, 0, 0), &times), expected);
    }

    #[test]
    fn a_burst_is_served_at_the_rate() {
        let expected = [Some(0), Some(100), Some(200), None, None];
        assert_eq!(waits(rule(10, 2, 0), &[0; 5]), expected);
    }

    #[test]
    fn without_delay_a_burst_is_served_at_once_and_fills_up_again_at_the_rate() {
        let times = [0, 0, 0, 0, 100, 100, 350, 350, 350];
        let expected = [Some(0), Some(0), Some(0), None, Some(0), None, Some(0), Some(0), None].to_vec();
        assert_eq!(waits(rule(10, 2, 2), &times), expected);
    }

    #[test]
    fn the_first_of_a_burst_may_be_prompt_and_the_rest_wait() {
        let expected = [Some(0), Some(0), Some(0), Some(100), Some(200), None];
        assert_eq!(waits(rule(10, 4, 2), &[0; 6]), expected);
    }

    #[test]
    fn who_is_refused_learns_when_to_come_again() {
        let (rates, rule) = (Rates::new(8), rule(2, 0, 0));
        let _ = rates.ask(1, 1, rule);
        let Answer::Refused(wait) = rates.ask(1, 1, rule) else { panic!("two at once") };
        assert_eq!(wait, Duration::from_millis(500));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (rates, rule) = (Rates::new(8), rule(1, 0, 0));
        for _ in 0..3 {
            let Answer::Pass(_, taken) = rates.ask(1, 1, rule) else { panic!("it was given back") };
            rates.give_back(taken, rule);
        }
    }

    #[test]
    fn keys_do_not_touch_each_other() {
        let (rates, rule) = (Rates::new(4096), rule(1, 0, 0));
        let keys: Vec<u64> = (1..=100).map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        for expected in [true, false] {
            for key in &keys {
                assert_eq!(matches!(rates.ask(*key, SECOND, rule), Answer::Pass(..)), expected);
            }
        }
    }

    #[test]
    fn without_room_the_bucket_that_drains_first_is_forgotten() {
        let (rates, rule) = (Rates::new(1), rule(1, 100, 100));
        assert_eq!(rates.room(), WAYS);
        let ask = |key, times| {
            (0..times).for_each(|_| assert!(matches!(rates.ask(key, SECOND, rule), Answer::Pass(..))));
        };
        (1..=8).for_each(|key| ask(key, 20 - key));
        ask(9, 1);
        let known = |key| rates.slots.iter().any(|slot| slot.key.load(Relaxed) == key);
        assert!(!known(8) && known(9) && (1..8).all(known));
    }

    #[test]
    fn all_workers_together_let_in_what_one_would() {
        let (rates, rule) = (Rates::new(64), rule(1, 99, 99));
        let passed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let pass = || matches!(rates.ask(5, SECOND, rule), Answer::Pass(..));
                    let count = (0..200).filter(|_| pass()).count();
                    passed.fetch_add(count as u64, Relaxed);
                });
            }
        });
        // Two that claim a free place at the same moment may cost a count.
        assert!((100..=103).contains(&passed.load(Relaxed)), "{passed:?}");
    }

    #[test]
    fn impossible_rates_are_none() {
        assert_eq!(Rate::new(0, Duration::from_secs(1)), None);
        assert_eq!(Rate::new(2_000_000_000, Duration::from_secs(1)), None);
        assert_eq!(Rate::new(1, Duration::from_secs(86_400 * 11)), None);
    }
}
