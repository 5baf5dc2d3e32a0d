//! The story of a simulated request, from its arrival to its end.

use std::sync::Arc;

use smallvec::SmallVec;

use super::arrivals::Arrival;
use super::dice::Dice;
use super::gateway::Chosen;
use super::group::Failure;
use super::queue::{Answer, Attempt, Event};
use super::score::End;
use super::world::World;
use crate::policy::Decision;
use crate::stats::{self, BackendStats, InFlight, Verdict};

/// A request under way.
pub(super) struct Request {
    began: u64,
    arrival: Arrival,
    gateway: usize,
    worker: usize,
    /// Is it past the warm-up?
    counts: bool,
    /// Decides at which attempts it meets a failure.
    fate: u64,
    tried: SmallVec<[u32; 8]>,
    /// The attempt in flight.
    pub(super) number: u64,
    flight: Option<Flight>,
}

/// An attempt in flight, as the gateway has it.
pub(super) struct Flight {
    chosen: Chosen,
    guard: InFlight<Arc<BackendStats>>,
}

impl World<'_> {
    /// A request comes.
    pub(super) fn begin(&mut self) {
        if self.begun == self.limit {
            return;
        }
        let counts = self.begun as f64 >= self.scenario.warm_up * self.limit as f64;
        self.begun += 1;
        let request = Request {
            began: self.now,
            arrival: self.source.arrive(),
            gateway: self.placing.below(self.scenario.gateways),
            worker: self.placing.below(self.scenario.workers),
            counts,
            fate: self.fates.bits(),
            tried: SmallVec::new(),
            number: 0,
            flight: None,
        };
        let request = self.requests.insert(request);
        self.attempt(request, End::NoBackend);
    }

    /// Tries a request at the next backend. `before` is how it ends if there is none.
    pub(super) fn attempt(&mut self, number: usize, before: End) {
        let now = self.clock();
        let request = &mut self.requests[number];
        let gateway = &mut self.gateways[request.gateway];
        let tries_left = self.scenario.tries == 0 || request.tried.len() < self.scenario.tries as usize;
        if !tries_left {
            return self.leave(number, before);
        }
        let chosen = gateway.choose(request.worker, &request.arrival, &request.tried, &self.source, now);
        if gateway.is_broken() {
            let timed = gateway.mend(now);
            let gateway = request.gateway;
            self.schedule_ticks(gateway, timed);
        }
        match chosen {
            Ok(chosen) => self.send(number, chosen),
            Err(Decision::Reject(_)) => self.leave(number, End::Rejected),
            Err(_) => self.leave(number, before),
        }
    }

    /// Sends an attempt on its way.
    fn send(&mut self, number: usize, chosen: Chosen) {
        let now = self.clock();
        let request = &mut self.requests[number];
        if request.counts {
            self.score.choose(request.arrival.key, chosen.server, request.tried.is_empty());
        }
        let stats = Arc::clone(&self.gateways[request.gateway].backends[chosen.server].stats);
        self.attempts += 1;
        request.number = self.attempts;
        request.tried.push(chosen.server as u32);
        request.flight = Some(Flight { chosen, guard: InFlight::begin(stats, now) });
        let attempt = Attempt { request: number as u32, number: self.attempts };
        self.deadlines.push_back((self.now + self.scenario.timeout.0, attempt));
        self.queue.schedule(self.now + self.scenario.network.0, Event::Reach(attempt));
    }

    /// The request of an attempt, if that attempt is still in flight.
    fn current(&self, attempt: Attempt) -> Option<&Request> {
        self.requests.get(attempt.request as usize).filter(|request| request.number == attempt.number)
    }

    /// An attempt reaches its backend.
    pub(super) fn reach(&mut self, attempt: Attempt) {
        let Some(request) = self.current(attempt) else { return };
        let Some(flight) = &request.flight else { return };
        let (server, arrival) = (flight.chosen.server, request.arrival);
        let chance = Dice::of(request.fate).unit_of(request.tried.len());
        let backend = &mut self.servers[server];
        if backend.condition.gone {
            return self.reply(attempt, Answer::Refused, 0);
        }
        if let Some(rule) = backend.condition.failing.filter(|rule| chance < rule.share) {
            let answer = match rule.how {
                Failure::Error => Answer::ServerError,
                Failure::Refuse => Answer::Refused,
                Failure::Break => Answer::Broken,
                Failure::Hang => return,
            };
            return self.reply(attempt, answer, rule.after.0);
        }
        backend.advance(self.now);
        backend.enter(attempt, arrival.key, arrival.work);
        self.schedule_finish(server);
    }

    pub(super) fn reply(&mut self, attempt: Attempt, answer: Answer, after: u64) {
        self.queue.schedule(self.now + after + self.scenario.network.0, Event::Answer(attempt, answer));
    }

    pub(super) fn schedule_finish(&mut self, server: usize) {
        let backend = &self.servers[server];
        if let Some(at) = backend.next_finish() {
            self.queue.schedule(at, Event::Finish { server: server as u32, version: backend.version });
        }
    }

    pub(super) fn finish(&mut self, server: usize, version: u64) {
        if self.servers[server].version != version {
            return;
        }
        self.servers[server].advance(self.now);
        while let Some(attempt) = self.servers[server].finished() {
            self.reply(attempt, Answer::Success, 0);
        }
        self.schedule_finish(server);
    }

    pub(super) fn answer(&mut self, attempt: Attempt, answer: Answer) {
        if self.current(attempt).is_none() {
            return;
        }
        let (verdict, status, end) = match answer {
            Answer::Success => (Verdict::Success, 200, End::Served),
            Answer::ServerError => (Verdict::ServerError, 500, End::ServerError),
            Answer::Refused => (Verdict::ConnectFailed, 0, End::Refused),
            Answer::Broken => (Verdict::Broken, 0, End::Broken),
        };
        self.land(attempt.request as usize, verdict, status);
        match end {
            // As in the gateway: an answer is an answer, and what never came may come from elsewhere.
            End::Served | End::ServerError => self.leave(attempt.request as usize, end),
            _ => self.attempt(attempt.request as usize, end),
        }
    }

    pub(super) fn time_out(&mut self, attempt: Attempt) {
        if self.current(attempt).is_some() {
            self.land(attempt.request as usize, Verdict::TimedOut, 0);
            self.attempt(attempt.request as usize, End::TimedOut);
        }
    }

    /// An attempt has ended: statistics learn it, then the policy, then it is no longer in flight.
    fn land(&mut self, number: usize, verdict: Verdict, status: u16) {
        let now = self.clock();
        let request = &mut self.requests[number];
        let Some(flight) = request.flight.take() else { return };
        request.number = 0;
        let total = stats::clock::span(flight.guard.began(), now);
        let first_byte = if verdict == Verdict::Success { total } else { 0 };
        let outcome = stats::Outcome { verdict, status, connect: 0, first_byte, total, now };
        let gateway = &mut self.gateways[request.gateway];
        gateway.done(request.worker, flight.chosen, &outcome);
        drop(flight.guard);
        if gateway.is_broken() {
            let timed = gateway.mend(now);
            let gateway = request.gateway;
            self.schedule_ticks(gateway, timed);
        }
    }

    /// A request has ended.
    fn leave(&mut self, number: usize, end: End) {
        let request = self.requests.remove(number);
        self.ended += 1;
        if request.counts {
            self.score.end(end, self.now - request.began);
        }
        if self.scenario.arrivals.clients.is_some() {
            let pause = (self.thinking.exponential() * self.scenario.arrivals.think.0 as f64) as u64;
            // Never at the same moment: a client that is refused at once would stop time.
            self.queue.schedule(self.now + pause.max(1_000), Event::Client);
        }
    }
}
