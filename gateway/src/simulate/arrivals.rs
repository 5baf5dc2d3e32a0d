//! Which requests come, and when.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use xxhash_rust::xxh3::xxh3_64;

use super::dice::Dice;
use super::law::Law;
use super::log;
use super::recorded;
use super::scenario::{Keys, Scenario};
use crate::policy::Facts;
use crate::policy::recording::Recording;

/// Requests as they once came: from an access log or from a recording.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub(super) requests: Arc<[Traced]>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Traced {
    /// Nanoseconds since the first one.
    pub(super) at: u64,
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) host: Box<[u8]>,
    pub(super) headers: HeaderMap,
    pub(super) body_length: Option<u64>,
    pub(super) client: Option<IpAddr>,
    /// What it is hashed by.
    pub(super) key: Box<[u8]>,
    /// How long it took, seconds, if the file says so.
    pub(super) took: Option<f64>,
}

impl Trace {
    /// Reads a recording, or an access log (`combined`, or the gateway's `json`).
    ///
    /// # Errors
    /// What is wrong with the file, and in which line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes =
            std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let requests = if Recording::is_one(&text) {
            Recording::read(&text).map(|recording| recorded::requests(&recording))
        } else {
            log::read(&text)
        };
        let requests = requests.map_err(|error| format!("`{}`: {error}", path.display()))?;
        Ok(Self::of(requests))
    }

    /// In the order of their times, the first at 0.
    pub(super) fn of(mut requests: Vec<Traced>) -> Self {
        requests.sort_by_key(|request| request.at);
        let first = requests.first().map_or(0, |request| request.at);
        requests.iter_mut().for_each(|request| request.at -= first);
        Self { requests: requests.into() }
    }

    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// From the first request to the last, nanoseconds.
    pub(super) fn length(&self) -> u64 {
        self.requests.last().map_or(0, |request| request.at)
    }
}

/// A request that has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// What it is about: the number of its key, or of the traced request.
    pub(super) subject: u32,
    /// Hash of its key.
    pub(super) key: u64,
    /// Seconds on a core of speed 1.
    pub(super) work: f64,
}

/// Where requests come from.
#[derive(Debug)]
pub(super) struct Source {
    work: super::law::Work,
    working: Dice,
    pausing: Dice,
    keying: Dice,
    /// Mean time between requests, nanoseconds; none when a trace or clients say when.
    pause: Option<f64>,
    popularity: Popularity,
    trace: Option<Trace>,
    came: u32,
}

impl Source {
    pub(super) fn new(scenario: &Scenario, trace: Option<Trace>, seed: u64) -> Self {
        let open = scenario.arrivals.clients.is_none() && trace.is_none();
        Self {
            work: scenario.work.clone(),
            working: Dice::new(seed, "work"),
            pausing: Dice::new(seed, "pauses"),
            keying: Dice::new(seed, "keys"),
            pause: open.then(|| 1e9 / scenario.rate()),
            popularity: Popularity::new(&scenario.keys),
            trace,
            came: 0,
        }
    }

    /// When the next request comes if the last one came at `now`; none when clients decide, or when
    /// there is no more.
    pub(super) fn next_at(&mut self, now: u64) -> Option<u64> {
        if let Some(trace) = &self.trace {
            return trace.requests.get(self.came as usize).map(|next| next.at);
        }
        self.pause.map(|pause| now + (self.pausing.exponential() * pause) as u64)
    }

    /// The request that comes now.
    pub(super) fn arrive(&mut self) -> Arrival {
        let number = self.came;
        self.came += 1;
        match self.trace.as_ref().and_then(|trace| trace.requests.get(number as usize)) {
            Some(traced) => {
                let drawn = self.work.draw(&mut self.working);
                let logged = traced.took.filter(|_| self.work.law == Law::Logged);
                Arrival { subject: number, key: hash(&traced.key), work: logged.unwrap_or(drawn) }
            }
            None => {
                let subject = self.popularity.draw(&mut self.keying);
                let key = hash(format!("/k/{subject}").as_bytes());
                Arrival { subject, key, work: self.work.draw(&mut self.working) }
            }
        }
    }

    /// Says what a policy may ask about a request.
    pub(super) fn describe(&self, subject: u32, facts: &mut Facts) {
        if let Some(traced) = self.trace.as_ref().and_then(|trace| trace.requests.get(subject as usize)) {
            facts.method = traced.method.clone();
            facts.target = traced.target.clone();
            facts.host = (&*traced.host).into();
            facts.headers = traced.headers.clone();
            facts.body_length = traced.body_length;
            facts.client = traced.client;
            facts.key.clear();
            facts.key.extend_from_slice(&traced.key);
            return;
        }
        let target = format!("/k/{subject}");
        facts.key.clear();
        facts.key.extend_from_slice(target.as_bytes());
        facts.target = target.parse().unwrap_or_default();
        facts.host = b"simulated.invalid"[..].into();
        // nginx's `ip_hash` reads three octets: these are the ones that differ.
        let [a, b, c, d] = subject.to_be_bytes();
        facts.client = Some(IpAddr::V4(Ipv4Addr::new(b, c, d, a)));
    }
}

/// The hash that policies are given, as in `forward`: 53 bits.
fn hash(key: &[u8]) -> u64 {
    if key.is_empty() { 0 } else { xxh3_64(key) & ((1 << 53) - 1) }
}

/// Which key a request is about.
#[derive(Debug)]
enum Popularity {
    Alike(usize),
    /// Sums of the keys' shares, up to and including each.
    Ranked(Box<[f64]>),
}

impl Popularity {
    fn new(keys: &Keys) -> Self {
        if keys.zipf == 0.0 {
            return Self::Alike(keys.number);
        }
        let mut sum = 0.0;
        let sums = (1..=keys.number).map(|rank| {
            sum += (rank as f64).powf(-keys.zipf);
            sum
        });
        Self::Ranked(sums.collect())
    }

    fn draw(&self, dice: &mut Dice) -> u32 {
        match self {
            Self::Alike(number) => dice.below(*number) as u32,
            Self::Ranked(sums) => {
                let point = dice.unit() * sums.last().copied().unwrap_or(1.0);
                sums.partition_point(|sum| *sum <= point).min(sums.len() - 1) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_makes_the_first_key_twice_as_popular_as_the_second() {
        let popularity = Popularity::new(&Keys { number: 100, zipf: 1.0 });
        let (mut dice, mut counts) = (Dice::new(1, "keys"), [0; 100]);
        (0..100_000).for_each(|_| counts[popularity.draw(&mut dice) as usize] += 1);
        assert!((f64::from(counts[0]) / f64::from(counts[1]) - 2.0).abs() < 0.1, "{counts:?}");
        assert!(counts[99] > 0);
    }
}
