//! One backend, as it works.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::cache::Cache;
use super::group::{Discipline, Failing, Group};
use super::queue::Attempt;

/// A backend's processor. Every request that is being served gets on at the same pace, so one
/// number tells how far each is: `served`, the work that a request present since the beginning
/// would have got. A request is finished when `served` reaches what it was on entering plus its
/// own work; changes of speed only change how fast `served` grows.
#[derive(Debug)]
pub(super) struct Server {
    cores: f64,
    speed: f64,
    discipline: Discipline,
    hit: f64,
    cache: Option<Cache>,
    /// What is being served, the first to finish on top.
    serving: BinaryHeap<Job>,
    waiting: VecDeque<(Attempt, f64)>,
    served: f64,
    updated: u64,
    entered: u64,
    /// Counts changes, so that a completion that was scheduled before one is void.
    pub(super) version: u64,
    /// Core nanoseconds in use so far.
    pub(super) busy: f64,
    pub(super) condition: Condition,
}

/// What has befallen it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    /// Share of its speed that a brown-out leaves.
    pub(super) slow: f64,
    /// Share of its speed that others on its machine leave.
    pub(super) jumped: f64,
    /// How often it was restarted and is not warm yet, and how fast it is then.
    pub(super) warming: u32,
    pub(super) warm_speed: f64,
    /// It stands still.
    pub(super) stalled: bool,
    /// It is being restarted.
    pub(super) gone: bool,
    pub(super) failing: Option<Failing>,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            slow: 1.0,
            jumped: 1.0,
            warming: 0,
            warm_speed: 1.0,
            stalled: false,
            gone: false,
            failing: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Job {
    /// `served` when it is finished.
    finish: f64,
    order: u64,
    attempt: Attempt,
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        other.finish.total_cmp(&self.finish).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Job {}

/// Times are whole nanoseconds: what has less than one left is finished.
const NEARLY: f64 = 1e-9;

impl Server {
    pub(super) fn new(group: &Group) -> Self {
        Self {
            cores: f64::from(group.cores),
            speed: group.speed,
            discipline: group.queue,
            hit: group.cache.map_or(1.0, |cache| cache.hit),
            cache: group.cache.map(|cache| Cache::new(cache.entries)),
            serving: BinaryHeap::new(),
            waiting: VecDeque::new(),
            served: 0.0,
            updated: 0,
            entered: 0,
            version: 0,
            busy: 0.0,
            condition: Condition::default(),
        }
    }

    /// Work a second that each request being served gets.
    fn pace(&self) -> f64 {
        let Condition { slow, jumped, warming, warm_speed, stalled, .. } = self.condition;
        if stalled {
            return 0.0;
        }
        let speed = self.speed * slow * jumped * if warming > 0 { warm_speed } else { 1.0 };
        match self.discipline {
            Discipline::Fifo => speed,
            Discipline::Shared => speed * (self.cores / self.serving.len().max(1) as f64).min(1.0),
        }
    }

    /// Lets time pass until `now` (nanoseconds). Comes before every change.
    pub(super) fn advance(&mut self, now: u64) {
        let passed = (now - self.updated) as f64;
        self.updated = now;
        if self.serving.is_empty() {
            // Nobody's progress is measured against it: starting over keeps the numbers small.
            self.served = 0.0;
            return;
        }
        self.served += passed * 1e-9 * self.pace();
        self.busy += passed * (self.serving.len() as f64).min(self.cores);
    }

    /// Takes an attempt in, `work` seconds long on a core of speed 1.
    pub(super) fn enter(&mut self, attempt: Attempt, key: u64, work: f64) {
        let known = self.cache.as_mut().is_some_and(|cache| cache.touch(key));
        let work = if known { work * self.hit } else { work };
        if self.discipline == Discipline::Fifo && self.serving.len() >= self.cores as usize {
            self.waiting.push_back((attempt, work));
        } else {
            self.serve(attempt, work);
        }
        self.version += 1;
    }

    fn serve(&mut self, attempt: Attempt, work: f64) {
        self.entered += 1;
        self.serving.push(Job { finish: self.served + work, order: self.entered, attempt });
    }

    /// The next attempt that is finished by now.
    pub(super) fn finished(&mut self) -> Option<Attempt> {
        let next = self.serving.peek()?;
        if next.finish > self.served + NEARLY {
            return None;
        }
        let job = self.serving.pop()?;
        if let Some((attempt, work)) = self.waiting.pop_front() {
            self.serve(attempt, work);
        }
        self.version += 1;
        Some(job.attempt)
    }

    /// When the next attempt will be finished, if nothing changes.
    pub(super) fn next_finish(&self) -> Option<u64> {
        let (left, pace) = (self.serving.peek()?.finish - self.served, self.pace());
        (pace > 0.0).then(|| self.updated + (left.max(0.0) / pace * 1e9).ceil() as u64)
    }

    /// Drops everything that it was serving, and forgets what it knew.
    pub(super) fn restart(&mut self) -> Vec<Attempt> {
        if let Some(cache) = &mut self.cache {
            cache.clear();
        }
        self.version += 1;
        let mut broken: Vec<Job> = self.serving.drain().collect();
        broken.sort_unstable_by_key(|job| job.order);
        let waiting = self.waiting.drain(..).map(|(attempt, _)| attempt);
        broken.into_iter().map(|job| job.attempt).chain(waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    fn server(lines: &str) -> Server {
        Server::new(&toml::from_str::<Group>(lines).unwrap())
    }

    fn attempt(number: u64) -> Attempt {
        Attempt { request: 0, number }
    }

    /// When each attempt is finished, milliseconds.
    fn run(server: &mut Server) -> Vec<(u64, u64)> {
        let mut done = Vec::new();
        while let Some(at) = server.next_finish() {
            server.advance(at);
            while let Some(attempt) = server.finished() {
                done.push((attempt.number, at / MILLI));
            }
        }
        done
    }

    #[test]
    fn two_requests_on_one_core_take_twice_as_long() {
        let mut server = server("");
        server.enter(attempt(1), 0, 0.010);
        server.enter(attempt(2), 0, 0.010);
        assert_eq!(run(&mut server), [(1, 20), (2, 20)]);
    }

    #[test]
    fn two_requests_on_two_cores_do_not_disturb_each_other() {
        let mut server = server("cores = 2\nspeed = 2");
        server.enter(attempt(1), 0, 0.010);
        server.enter(attempt(2), 0, 0.020);
        assert_eq!(run(&mut server), [(1, 5), (2, 10)]);
    }

    #[test]
    fn a_queue_is_served_one_after_the_other() {
        let mut server = server("queue = \"fifo\"");
        server.enter(attempt(1), 0, 0.010);
        server.enter(attempt(2), 0, 0.005);
        assert_eq!(run(&mut server), [(1, 10), (2, 15)]);
    }

    #[test]
    fn a_change_of_speed_counts_from_its_moment_on() {
        let mut server = server("");
        server.enter(attempt(1), 0, 0.010);
        server.advance(5 * MILLI);
        server.condition.slow = 0.5;
        assert_eq!(server.next_finish(), Some(15 * MILLI));
        server.condition.stalled = true;
        assert_eq!(server.next_finish(), None);
    }

    #[test]
    fn a_remembered_key_is_less_work() {
        let mut server = server("cache = { entries = 10, hit = 0.1 }");
        server.enter(attempt(1), 7, 0.010);
        assert_eq!(run(&mut server), [(1, 10)]);
        server.enter(attempt(2), 7, 0.010);
        assert_eq!(run(&mut server), [(2, 11)]);
    }

    #[test]
    fn busy_time_is_counted_by_core() {
        let mut server = server("cores = 2");
        server.enter(attempt(1), 0, 0.010);
        run(&mut server);
        server.advance(30 * MILLI);
        assert_eq!(server.busy as u64, 10 * MILLI);
    }

    #[test]
    fn a_restart_breaks_what_was_being_served() {
        let mut server = server("queue = \"fifo\"");
        for number in 1..=3 {
            server.enter(attempt(number), 0, 0.010);
        }
        assert_eq!(server.restart().len(), 3);
        assert_eq!(server.next_finish(), None);
    }
}
