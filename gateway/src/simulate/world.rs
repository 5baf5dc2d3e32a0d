//! The loop of events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::arrivals::{Source, Trace};
use super::dice::Dice;
use super::gateway::{Gateway, Timed};
use super::queue::{Answer, Attempt, Event, Queue};
use super::request::Request;
use super::scenario::Scenario;
use super::score::{Outcome, Score};
use super::server::Server;
use super::trouble::{self, Effect, Trouble};
use crate::policy::Policy;

/// A policy with its options.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its options, a JSON object.
    pub options: Arc<str>,
    /// What it is called in the comparison.
    pub label: String,
}

/// A run begins this long after the gateways' clocks, microseconds: 0 means never on that clock.
const START: u64 = 1_000_000;

/// Lets one policy choose for all requests of a scenario. `trace` replaces the arrivals that the
/// scenario describes.
///
/// # Errors
/// The policy refuses its options or fails at birth, or there is nothing to arrive.
pub fn run(
    scenario: &Scenario,
    contestant: &Contestant,
    trace: Option<&Trace>,
    seed: u64,
) -> Result<Outcome, String> {
    if trace.is_none() && scenario.arrivals.file.is_some() {
        return Err(format!("scenario `{}`: the file of its arrivals was not read", scenario.name));
    }
    let began = Instant::now();
    let mut world = World::new(scenario, contestant, trace.cloned(), seed)?;
    world.run();
    Ok(world.end(contestant, began.elapsed()))
}

/// Everything there is in a simulation, at one moment.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) now: u64,
    pub(super) queue: Queue,
    pub(super) source: Source,
    pub(super) gateways: Vec<Gateway>,
    pub(super) servers: Vec<Server>,
    pub(super) troubles: Slab<Trouble>,
    pub(super) requests: Slab<Request>,
    /// Attempts in the order of their deadlines, which all are equally long.
    pub(super) deadlines: VecDeque<(u64, Attempt)>,
    pub(super) limit: u64,
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) attempts: u64,
    pub(super) placing: Dice,
    pub(super) fates: Dice,
    pub(super) thinking: Dice,
    pub(super) troubling: Dice,
    pub(super) score: Score,
}

impl<'a> World<'a> {
    fn new(
        scenario: &'a Scenario,
        contestant: &Contestant,
        trace: Option<Trace>,
        seed: u64,
    ) -> Result<Self, String> {
        let (limit, length) = match &trace {
            Some(trace) => (scenario.requests.min(trace.len() as u64), trace.length()),
            None => (scenario.requests, (scenario.requests as f64 / scenario.rate() * 1e9) as u64),
        };
        let groups = scenario.groups.iter().flat_map(|group| std::iter::repeat_n(group, group.number));
        let mut troubling = Dice::new(seed, "troubles");
        let troubles = trouble::all(scenario, length, &mut troubling);
        let mut world = Self {
            scenario,
            now: 0,
            queue: Queue::default(),
            source: Source::new(scenario, trace, seed),
            gateways: Vec::new(),
            servers: groups.map(Server::new).collect(),
            troubles: Slab::new(),
            requests: Slab::new(),
            deadlines: VecDeque::new(),
            limit,
            begun: 0,
            ended: 0,
            attempts: 0,
            placing: Dice::new(seed, "places"),
            fates: Dice::new(seed, "fates"),
            thinking: Dice::new(seed, "thoughts"),
            troubling,
            score: Score::default(),
        };
        world.schedule(troubles);
        for number in 0..scenario.gateways {
            let made = Gateway::new(number, scenario, contestant, seed, START);
            let (gateway, timed) = made.map_err(|error| format!("policy `{}`: {error}", contestant.label))?;
            world.gateways.push(gateway);
            world.schedule_ticks(number, timed);
        }
        world.open();
        Ok(world)
    }

    /// Lets the first requests come.
    fn open(&mut self) {
        for _ in 0..self.scenario.arrivals.clients.unwrap_or(0) {
            let round = self.scenario.arrivals.think.0 + self.scenario.work.mean.0;
            let at = (self.thinking.unit() * round as f64) as u64;
            self.queue.schedule(at, Event::Client);
        }
        self.schedule_arrival();
    }

    fn run(&mut self) {
        while self.ended < self.limit {
            let next = self.queue.next_at();
            match self.deadlines.front().copied() {
                Some((at, attempt)) if next.is_none_or(|next| at <= next) => {
                    self.deadlines.pop_front();
                    self.now = at;
                    self.time_out(attempt);
                }
                _ => match self.queue.pop() {
                    Some((at, event)) => {
                        self.now = at;
                        self.happen(event);
                    }
                    // Nothing can happen any more; every attempt has a deadline, so nothing is left.
                    None => return,
                },
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => {
                self.begin();
                self.schedule_arrival();
            }
            Event::Client => self.begin(),
            Event::Reach(attempt) => self.reach(attempt),
            Event::Finish { server, version } => self.finish(server as usize, version),
            Event::Answer(attempt, answer) => self.answer(attempt, answer),
            Event::Trouble(number) => self.befall(number as usize),
            Event::Tick { gateway, worker, age } => self.tick(gateway as usize, worker as usize, age),
        }
    }

    /// The gateways' clock, microseconds.
    pub(super) fn clock(&self) -> u64 {
        START + self.now / 1_000
    }

    fn schedule_arrival(&mut self) {
        if self.scenario.arrivals.clients.is_none()
            && let Some(at) = self.source.next_at(self.now)
        {
            self.queue.schedule(at, Event::Arrival);
        }
    }

    fn schedule(&mut self, troubles: Vec<(u64, Trouble)>) {
        for (at, trouble) in troubles {
            let number = self.troubles.insert(trouble) as u32;
            self.queue.schedule(at, Event::Trouble(number));
        }
    }

    fn befall(&mut self, number: usize) {
        let trouble = self.troubles.remove(number);
        let server = trouble.server();
        let backend = &mut self.servers[server];
        backend.advance(self.now);
        let fired = trouble.fire(self.now, &mut backend.condition, &mut self.troubling);
        backend.version += 1;
        match fired.effect {
            Effect::Changed => {}
            Effect::Restarted => {
                for attempt in self.servers[server].restart() {
                    self.reply(attempt, Answer::Broken, 0);
                }
            }
            Effect::Configured { down } => {
                let now = self.clock();
                for number in 0..self.gateways.len() {
                    let timed = self.gateways[number].configure(server, down, now);
                    self.schedule_ticks(number, timed);
                }
            }
        }
        self.schedule_finish(server);
        self.schedule(fired.then);
    }

    pub(super) fn schedule_ticks(&mut self, gateway: usize, timed: Vec<Timed>) {
        for Timed { worker, age, period } in timed {
            let at = self.now + u64::try_from(period.as_nanos()).unwrap_or(u64::MAX / 2);
            self.queue.schedule(at, Event::Tick { gateway: gateway as u32, worker: worker as u32, age });
        }
    }

    fn tick(&mut self, gateway: usize, worker: usize, age: u64) {
        let now = self.clock();
        let timed = self.gateways[gateway].tick(worker, age, now);
        self.schedule_ticks(gateway, timed.into_iter().collect());
    }

    fn end(mut self, contestant: &Contestant, elapsed: Duration) -> Outcome {
        for server in &mut self.servers {
            server.advance(self.now);
        }
        let totals = self.gateways.iter().map(Gateway::totals).collect::<Vec<_>>();
        let backends = self.gateways[0].backends.iter().zip(&self.servers).zip(self.scenario.cores());
        let busy = backends.map(|((backend, server), cores)| {
            let most = cores * self.now.max(1) as f64;
            (Arc::clone(&backend.name), backend.weight, server.busy / most)
        });
        Outcome::new(contestant, &self.score, &busy.collect::<Vec<_>>(), &totals, self.now, elapsed)
    }
}
