//! The candidate at which one more request costs least, learnt from everything that
//! the gateway measures; nothing needs to be set, and backends need not help.
//!
//! - Up to 64 candidates are all looked at; of more, twelve at random and the best four of the
//!   pick before. Two, as is usual, are too few: one gateway's own requests in flight are never
//!   stale to itself, so looking at more does not make a herd.
//! - What one more request costs is the mean response time, or half the mean age of what is in flight
//!   if that is more (a stalled backend shows before it answers), times the square of the requests that
//!   would then be there for the weight. Squared, because a response time is an estimate of the past that
//!   already contains the waiting, and requests in flight are a fact.
//! - Failures count as requests in flight. Who failed three times in a row is left alone for 3 seconds,
//!   and for 3 more after each single request that fails again, up to 30: who fails at once is not fast.
//!   Where half of them fail it stays at 3, so that whoever is back first is not alone for long.
//! - Response times lie when work is uneven. So only candidates that are not among the busiest
//!   40 % of those seen lately are compared by the cost; if all are, the least busy one is taken.
//! - While it is quiet (two thirds are idle) little is gained by a choice: among the idle that answer
//!   about as fast as the fastest of them, a draw by weight decides. So a quiet upstream is spread over its
//!   backends, and all of them stay known.
//! - Who joined lately is looked at more and more often: it is not flooded.

mod joining;
mod options;
mod seen;
mod window;

use joining::Joining;
use options::Options;
use pointsman_policy::{
    Backend, Choice, Explain, Known, Line, Policy, Random, Request, export, request, stats,
};
use seen::{Others, PAUSE, PAUSE_MAX, SINGLE, STREAK, Seen, is_paused};
use window::Window;

/// From this share of failures on a backend fails, parts per million.
const FAILING: u32 = 200_000;
/// Idle candidates are as good as the best one up to so many times its response time,
const AS_GOOD: f64 = 1.25;
/// and up to so much more, microseconds: nobody notices it.
const UNNOTICED: f64 = 500.0;
/// In a scan so many are asked for age and failures one by one; after that the columns are cheaper.
const SETTLED_ONE_BY_ONE: u32 = 2;

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
    /// When this pick is made, microseconds.
    now: u64,
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
            self.compare_loads();
        }
    }

    fn compare_loads(&mut self) {
        self.limit = u16::MAX;
        self.seen.iter_mut().for_each(Seen::forget_times);
    }

    /// The place in `seen` of the least cost among those that are not busy, from `begin` on and
    /// round: the first of equals.
    fn least(&self, begin: usize) -> Option<usize> {
        let mut best = None;
        let mut least = f64::INFINITY;
        for place in (begin..self.seen.len()).chain(0..begin) {
            let seen = &self.seen[place];
            if seen.cost < least && seen.class <= self.limit {
                (best, least) = (Some(place), seen.cost);
            }
        }
        best
    }

    /// Age and failures are asked for as late as can be: they can only raise a cost, so the
    /// least of the costs without them is the least of all if it does not grow by them.
    fn choose(&mut self, begin: usize) -> Option<Seen> {
        let mut settled = 0;
        loop {
            let Some(place) = self.least(begin) else {
                if self.limit == u16::MAX {
                    return None;
                }
                // Whoever was not busy turned out to fail.
                self.compare_loads();
                continue;
            };
            if self.seen[place].exact {
                return Some(self.seen[place]);
            }
            if self.scans && settled == SETTLED_ONE_BY_ONE {
                self.settle_all();
            } else {
                self.settle(place);
            }
            settled += 1;
        }
    }

    /// While it is quiet, one of all that are idle and answer about as fast as any of them; those that
    /// fail do not. Else the best one: the more there is to do, the more it knows.
    fn spread(&self, best: Seen, random: &mut Random) -> u32 {
        let idle = || self.seen.iter().filter(|seen| seen.in_flight == 0 && seen.class <= self.limit);
        if best.in_flight > 0 || 3 * idle().count() <= 2 * self.seen.len() {
            return best.index;
        }
        let shortest = f64::from(idle().map(|seen| seen.latency).min().unwrap_or(0));
        let longest = (shortest * AS_GOOD).max(shortest + UNNOTICED);
        let as_good = || idle().filter(|seen| f64::from(seen.latency) <= longest);
        let sum: f64 = as_good().map(|seen| self.weight(seen)).sum();
        let mut left = sum * random.below(1 << 32) as f64 / (1u64 << 32) as f64;
        let drawn = as_good().find(|seen| {
            left -= self.weight(seen);
            left < 0.0
        });
        drawn.filter(|seen| self.is_fit(seen.index)).map_or(best.index, |seen| seen.index)
    }

    /// Did it not fail of late, or is it time to see whether it still does?
    fn is_fit(&self, index: u32) -> bool {
        let failures = stats::failures_of(index);
        if failures == 0 {
            return true;
        }
        let detail = stats::detail_of(index);
        if detail.failures_in_a_row < STREAK {
            return failures <= SINGLE;
        }
        !is_paused(&detail, self.others(stats::failures_of), self.now)
    }

    /// Weight over mean weight. Those that were drawn were drawn by weight.
    fn weight(&self, seen: &Seen) -> f64 {
        if self.scans { self.shares.get(seen.index as usize).map_or(1.0, |share| 1.0 / share) } else { 1.0 }
    }

    fn settle(&mut self, place: usize) {
        let Seen { index, in_flight, .. } = self.seen[place];
        let age = if in_flight > 0 { stats::age_of(index) } else { 0 };
        let failures = stats::failures_of(index);
        let others = if failures > 0 { self.others(stats::failures_of) } else { Others::default() };
        self.seen[place].settle(age, failures, others, self.now);
    }

    fn settle_all(&mut self) {
        let (ages, failures) = (stats::age(), stats::failures());
        let of = |column: &[u32], index: u32| column.get(index as usize).copied().unwrap_or(0);
        let others = self.others(|index| of(&failures, index));
        for seen in self.seen.iter_mut().filter(|seen| !seen.exact) {
            seen.settle(of(&ages, seen.index), of(&failures, seen.index), others, self.now);
        }
    }

    fn others(&self, failures: impl Fn(u32) -> u32) -> Others {
        let count = self.seen.len();
        let sum: f64 = self.seen.iter().map(|seen| f64::from(seen.latency)).sum();
        let failing = self.seen.iter().filter(|seen| failures(seen.index) > FAILING).count();
        let longest_pause = if 2 * failing >= count { PAUSE } else { PAUSE_MAX };
        Others { usual: sum / count.max(1) as f64, longest_pause }
    }

    /// Keeps the best for the next pick.
    fn remember(&mut self) {
        self.best.clear();
        while self.best.len() < self.memory {
            let new = self.seen.iter().filter(|seen| !self.best.contains(&seen.index));
            let Some(next) = new.min_by(|one, other| one.cost.total_cmp(&other.cost)) else { break };
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
            now: 0,
        })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        self.now = request.now;
        let mut random = Random::new(self.seed, request);
        self.look(request, &request::tried(request), &mut random);
        self.compare();
        let begin = random.below(self.seen.len() as u64) as usize;
        let Some(best) = self.choose(begin) else {
            return Choice::Abstain;
        };
        let index = self.spread(best, &mut random);
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
        seen.sort_by(|one, other| busy(one).cmp(&busy(other)).then(one.cost.total_cmp(&other.cost)));
        let words = seen.iter().map(|seen| {
            let (name, cost) = (self.known.name(seen.index), seen.cost.round() as u64);
            let least = if seen.exact { "" } else { "at least " };
            format!("{name} {least}{cost}{}", if busy(seen) { " (busy)" } else { "" })
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

export!(Adaptive, explain);

#[cfg(test)]
mod tests;
