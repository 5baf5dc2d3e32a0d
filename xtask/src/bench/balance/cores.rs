//! The cores of a simulated backend, shared by all that it works on.

use std::collections::BinaryHeap;

use super::scenario::Setup;

/// Processor sharing, reckoned instead of done: up to one request for each core is worked on at full
/// speed, more share the cores evenly. Times are seconds since the run began. Whatever is late in the
/// real world is late in answering only: the next request does not wait for it.
#[derive(Debug)]
pub(super) struct Cores<T> {
    setup: Setup,
    backend: usize,
    /// Until when everything is reckoned.
    at: f64,
    /// Work done on each request that has been there since the begin, seconds at speed 1.
    done: f64,
    jobs: BinaryHeap<Job<T>>,
}

/// A request, and how much work will have been done on each when its own is.
#[derive(Debug)]
struct Job<T> {
    end: f64,
    what: T,
}

impl<T> Ord for Job<T> {
    /// The first to end is the greatest.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.end.total_cmp(&self.end)
    }
}

impl<T> PartialOrd for Job<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Job<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Job<T> {}

impl<T> Cores<T> {
    pub(super) fn new(setup: Setup, backend: usize) -> Self {
        Self { setup, backend, at: 0.0, done: 0.0, jobs: BinaryHeap::new() }
    }

    /// Takes a request in, once everything before `now` has been [ended](Self::end).
    pub(super) fn begin(&mut self, work: f64, what: T) {
        self.jobs.push(Job { end: self.done + work, what });
    }

    /// When there is something to do next, if nothing else comes; nothing to do without requests.
    pub(super) fn next(&self) -> Option<f64> {
        let job = self.jobs.peek()?;
        Some((self.at + (job.end - self.done) / self.rate()).min(self.change()))
    }

    /// Works until `now`; `ended` is told what is done, and when it was.
    pub(super) fn end(&mut self, now: f64, mut ended: impl FnMut(T, f64)) {
        while let Some(next) = self.next().filter(|next| *next <= now) {
            let end = self.jobs.peek().map_or(f64::INFINITY, |job| job.end);
            if next < self.change() {
                (self.at, self.done) = (next, end);
                if let Some(job) = self.jobs.pop() {
                    ended(job.what, next);
                }
            } else {
                self.done += (next - self.at) * self.rate();
                self.at = next;
            }
        }
        if !self.jobs.is_empty() {
            self.done += (now - self.at).max(0.0) * self.rate();
        }
        self.at = self.at.max(now);
    }

    /// Work done on each request in a second.
    fn rate(&self) -> f64 {
        let share = (f64::from(self.setup.cores) / self.jobs.len().max(1) as f64).min(1.0);
        self.setup.speed(self.backend, self.at) * share
    }

    /// When the speed may be another one.
    fn change(&self) -> f64 {
        self.setup.change(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::{Scenario, Setup};
    use super::Cores;

    const CORES: usize = 4;

    fn setup(scenario: Scenario) -> Setup {
        Setup { scenario, backends: 20, cores: CORES as u32 }
    }

    fn ends(scenario: Scenario, backend: usize, jobs: &[(f64, f64)]) -> Vec<f64> {
        let mut cores = Cores::new(setup(scenario), backend);
        let mut ends = vec![0.0; jobs.len()];
        for (job, (begin, work)) in jobs.iter().enumerate() {
            cores.end(*begin, |job: usize, at| ends[job] = at);
            cores.begin(*work, job);
        }
        cores.end(1e6, |job, at| ends[job] = at);
        ends
    }

    fn near(found: &[f64], expected: &[f64]) {
        let same = found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-9);
        assert!(same && found.len() == expected.len(), "{found:?}");
    }

    #[test]
    fn up_to_the_number_of_cores_nobody_waits() {
        near(&ends(Scenario::Homogeneous, 0, &[(0.0, 1.0), (0.5, 1.0), (0.75, 0.5)]), &[1.0, 1.5, 1.25]);
    }

    #[test]
    fn more_share_the_cores() {
        let twice = vec![(0.0, 1.0); 2 * CORES];
        near(&ends(Scenario::Homogeneous, 0, &twice), &[2.0; 2 * CORES]);
        let mut late = vec![(0.0, 1.0); CORES];
        late.extend(vec![(0.5, 1.0); CORES]);
        let expected = [vec![1.5; CORES], vec![2.0; CORES]].concat();
        near(&ends(Scenario::Homogeneous, 0, &late), &expected);
    }

    #[test]
    fn the_speed_counts_while_it_lasts() {
        near(&ends(Scenario::Heterogeneous, 2, &[(0.0, 1.0)]), &[0.25]);
        // From one change of speed to the next; what is not done by then goes on at the next.
        let speed = |at: f64| setup(Scenario::Antagonists).speed(3, at);
        let work = 5.0 * speed(0.0) + 5.0 * speed(5.0) + 0.5 * speed(10.0);
        near(&ends(Scenario::Antagonists, 3, &[(0.0, work)]), &[10.5]);
    }
}
