//! The candidate with the least time to wait for one more request, learnt from everything that
//! the gateway measures; nothing needs to be set, and backends need not help.
//!
//! - Up to 64 candidates are all looked at; of more, twelve at random and the best four of the
//!   pick before. Two, as is usual, are too few: one gateway's own requests in flight are never
//!   stale to itself, so looking at more does not make a herd.
//! - The wait is the mean response time, or the mean age of what is in flight if that is more (a
//!   stalled backend shows before it answers), times the requests that would then be there, for
//!   the weight; failures make it longer, so that a backend that fails at once is not fast.
//! - Response times lie when work is uneven. So only candidates that are not among the busiest
//!   40 % of those seen lately are compared by the wait; if all are, the least busy one is taken.
//! - Who joined lately is looked at more and more often: it is not flooded.

mod joining;
mod window;

use joining::Joining;
use pointsman_policy::{
    Backend, Choice, Explain, Known, Line, Policy, Random, Request, Span, export, request, stats,
};
use serde::Deserialize;
use window::{Window, class};

/// How much slower a backend counts that always fails, less one.
const FAILURE_COST: f64 = 20.0;
/// In a scan so many are asked for age and failures one by one; after that the columns are cheaper.
const SETTLED_ONE_BY_ONE: u32 = 2;
/// A scan of more would take longer than a policy has.
const SCAN_MAX: u32 = 1_000;
/// More would be a scan, for more than a scan costs.
const LOOKS_MAX: u32 = 64;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Up to so many candidates are all looked at.
    scan_max: u32,
    /// Of more candidates, so many are drawn.
    choices: u32,
    /// And so many of the best of the pick before are looked at again.
    memory: u32,
    /// The share of candidates seen lately that counts as not busy.
    hot_quantile: f64,
    /// How long a backend that joined later than others is spared.
    slow_start: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self { scan_max: 64, choices: 12, memory: 4, hot_quantile: 0.6, slow_start: Span::seconds(10) }
    }
}

impl Options {
    fn check(&self) -> Result<(), String> {
        if self.scan_max > SCAN_MAX {
            return Err(format!("scan_max: expected 0 to {SCAN_MAX}, found {}", self.scan_max));
        }
        if !(2..=LOOKS_MAX).contains(&self.choices) {
            return Err(format!("choices: expected 2 to {LOOKS_MAX}, found {}", self.choices));
        }
        if self.memory > LOOKS_MAX {
            return Err(format!("memory: expected 0 to {LOOKS_MAX}, found {}", self.memory));
        }
        if !(0.0..=1.0).contains(&self.hot_quantile) {
            return Err("hot_quantile: expected 0 to 1, as 0.6".into());
        }
        Ok(())
    }
}

/// A candidate that is looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    index: u32,
    in_flight: u32,
    latency: u32,
    /// How busy it is, as the window tells it apart.
    class: u16,
    /// Requests in flight and one more, for the weight.
    load: f64,
    /// The wait, or less than that until it is `exact`: microseconds at a backend of mean weight.
    wait: f64,
    /// Whether age and failures are in the wait.
    exact: bool,
}

/// By what a share of failures, in parts per million, multiplies the wait: 1 or more.
fn penalty(failures: u32) -> f64 {
    1.0 + FAILURE_COST * 1e-6 * f64::from(failures)
}

impl Seen {
    /// `share` is the mean weight over its own.
    fn new(index: u32, in_flight: u32, latency: u32, share: f64) -> Self {
        let load = (f64::from(in_flight) + 1.0) * share;
        let class = class((4.0 * f64::from(in_flight) * share) as u32);
        Self { index, in_flight, latency, class, load, wait: f64::from(latency) * load, exact: false }
    }

    /// From now on all candidates are as fast: only what they have to do counts.
    fn forget_times(&mut self) {
        self.latency = 0;
        self.wait = self.load;
    }

    /// Takes what else is known into the wait, which only grows by it.
    fn settle(&mut self, age: u32, failures: u32) {
        if self.latency > 0 && self.in_flight > 0 {
            self.wait = f64::from(self.latency.max(age)) * self.load;
        }
        self.wait *= penalty(failures);
        self.exact = true;
    }
}

struct Adaptive {
    known: Known,
    /// Mean weight / weight.
    shares: Vec<f64>,
    line: Line,
    choices: usize,
    memory: usize,
    /// Whether all candidates are looked at.
    scans: bool,
    seed: u64,
    window: Window,
    joining: Joining,
    /// The best of the pick before.
    best: Vec<u32>,
    /// Who is looked at in this pick.
    seen: Vec<Seen>,
    /// Up to this class those are not busy.
    limit: u16,
}

impl Adaptive {
    /// Looks at all candidates.
    fn look_at_all(&mut self) {
        let measured = stats::in_flight().into_iter().zip(stats::latency()).zip(&self.shares);
        let seen = |(index, ((in_flight, latency), share)): (u32, ((u32, u32), &f64))| {
            Seen::new(index, in_flight, latency, *share)
        };
        self.seen.extend((0u32..).zip(measured).map(seen));
    }

    /// Looks at the best of the pick before and at some that are drawn; on a retry at none that
    /// was tried.
    fn look_at_some(&mut self, tried: &[u32], random: &mut Random) {
        let mut gone = tried.to_vec();
        gone.sort_unstable();
        gone.dedup();
        for place in 0..self.best.len() {
            let index = self.best[place];
            if !gone.contains(&index) {
                self.look_at(index);
            }
        }
        // Among so many candidates the same one is rarely drawn twice: it is not drawn for.
        for _ in 0..self.choices {
            let drawn = if gone.is_empty() { self.line.any(random) } else { self.line.draw(&gone, random) };
            let Some(index) = drawn else { break };
            if self.seen.iter().all(|seen| seen.index != index) {
                self.look_at(index);
            }
        }
    }

    fn look_at(&mut self, index: u32) {
        let share = self.shares.get(index as usize).copied().unwrap_or(1.0);
        self.seen.push(Seen::new(index, stats::in_flight_of(index), stats::latency_of(index), share));
    }

    /// Fills `seen` with those that can be chosen.
    fn look(&mut self, request: &Request, tried: &[u32], random: &mut Random) {
        self.seen.clear();
        if self.scans {
            self.look_at_all();
            if !tried.is_empty() {
                self.seen.retain(|seen| !tried.contains(&seen.index));
            }
        } else {
            self.look_at_some(tried, random);
        }
        if self.joining.any(request.now) {
            let joining = &self.joining;
            let mut admitted = |seen: &Seen| joining.admits(seen.index, request.now, random);
            let admitted: Vec<Seen> = self.seen.iter().filter(|seen| admitted(seen)).copied().collect();
            // If only newcomers are left, they have to do.
            if !admitted.is_empty() {
                self.seen = admitted;
            }
        }
    }

    /// Notes how busy those are that are looked at. If all of them are among the busiest, response
    /// times do not count this time.
    fn compare(&mut self) {
        self.seen.iter().for_each(|seen| self.window.note(seen.class));
        self.limit = self.window.limit();
        if self.seen.iter().all(|seen| seen.class > self.limit) {
            self.limit = u16::MAX;
            self.seen.iter_mut().for_each(Seen::forget_times);
        }
    }

    /// The place in `seen` of the least wait among those that are not busy, from `begin` on and
    /// round: the first of equals.
    fn least(&self, begin: usize) -> Option<usize> {
        let mut best = None;
        let mut least = f64::INFINITY;
        for place in (begin..self.seen.len()).chain(0..begin) {
            let seen = &self.seen[place];
            if seen.wait < least && seen.class <= self.limit {
                (best, least) = (Some(place), seen.wait);
            }
        }
        best
    }

    /// Age and failures are asked for as late as can be: they can only lengthen a wait, so the
    /// least of the waits without them is the least of all if it does not grow by them.
    fn choose(&mut self, begin: usize) -> Option<u32> {
        let mut settled = 0;
        loop {
            let place = self.least(begin)?;
            let best = &mut self.seen[place];
            if best.exact {
                return Some(best.index);
            }
            if self.scans && settled == SETTLED_ONE_BY_ONE {
                let (ages, failures) = (stats::age(), stats::failures());
                for seen in self.seen.iter_mut().filter(|seen| !seen.exact) {
                    let of = |column: &[u32]| column.get(seen.index as usize).copied().unwrap_or(0);
                    seen.settle(of(&ages), of(&failures));
                }
            } else {
                let age = if best.in_flight > 0 { stats::age_of(best.index) } else { 0 };
                best.settle(age, stats::failures_of(best.index));
            }
            settled += 1;
        }
    }

    /// Keeps the best for the next pick.
    fn remember(&mut self) {
        self.best.clear();
        while self.best.len() < self.memory {
            let new = self.seen.iter().filter(|seen| !self.best.contains(&seen.index));
            let Some(next) = new.min_by(|one, other| one.wait.total_cmp(&other.wait)) else { break };
            self.best.push(next.index);
        }
    }
}

impl Policy for Adaptive {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        options.check()?;
        let count = backends.len();
        let sum: f64 = backends.iter().map(|backend| f64::from(backend.weight)).sum();
        let mean = sum / count.max(1) as f64;
        Ok(Self {
            known: Known::of(&backends),
            shares: backends.iter().map(|backend| mean / f64::from(backend.weight)).collect(),
            line: Line::new(backends.iter().map(|backend| backend.weight)),
            choices: options.choices as usize,
            memory: options.memory as usize,
            scans: count <= options.scan_max as usize,
            seed,
            window: Window::new(options.hot_quantile),
            joining: Joining::new(count as u32, options.slow_start.micros()),
            best: Vec::new(),
            seen: Vec::new(),
            limit: u16::MAX,
        })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let mut random = Random::new(self.seed, request);
        self.look(request, &request::tried(request), &mut random);
        self.compare();
        let begin = random.below(self.seen.len() as u64) as usize;
        let Some(index) = self.choose(begin) else {
            return Choice::Abstain;
        };
        if !self.scans {
            self.remember();
        }
        Choice::Backend(index)
    }
}

impl Explain for Adaptive {
    fn explain(&mut self, _: &Request) -> String {
        let mut seen = self.seen.clone();
        let busy = |seen: &Seen| seen.class > self.limit;
        seen.sort_by(|one, other| busy(one).cmp(&busy(other)).then(one.wait.total_cmp(&other.wait)));
        let words = seen.iter().map(|seen| {
            let (name, wait) = (self.known.name(seen.index), seen.wait.round() as u64);
            let unit = if seen.latency == 0 { "" } else { "us" };
            let least = if seen.exact { "" } else { "at least " };
            format!("{name} {least}{wait}{unit}{}", if busy(seen) { " (busy)" } else { "" })
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

export!(Adaptive, explain);

#[cfg(test)]
mod tests;
