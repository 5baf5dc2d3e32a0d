//! Choosing a backend, and choosing again.

use std::rc::Rc;

use http::StatusCode;

use super::answer::Refusal;
use super::in_force::{InForce, Standing};
use super::request_body::RequestBody;
use super::retry::Failure;
use super::story::Story;
use crate::policy::{Ask, Decision, Picker};
use crate::stats::InFlight;
use crate::upstream::Backend;

/// Whom a request goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    /// Where it stands among the upstream's backends.
    pub(super) backend: usize,
    /// Whom the policy named: its candidate and its picker's mark. None when the gateway
    /// itself chose: a backup, a trial, the backend of a session.
    pub(super) candidate: Option<(u32, u64)>,
}

/// A backend that was chosen, and in which the request has its place already.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) who: Who,
    /// On a fresh connection?
    pub(super) fresh: bool,
    /// Does the request try a backend that was ejected?
    pub(super) trial: bool,
    pub(super) in_flight: InFlight<Standing>,
}

/// What came of choosing.
pub(super) enum Picked {
    Backend(Chosen),
    /// Everybody who could serve has as many requests as it may.
    Full,
}

/// Why a backend cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Full,
    Shut,
}

/// Whether a backend's health matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mercy {
    /// Only who is open for everything.
    None,
    /// Whoever is in service, well or not.
    Unwell,
    /// Whoever is well, drained or not.
    Drained,
    /// Whoever.
    All,
}

impl Mercy {
    fn admits(self, backend: &Backend) -> bool {
        let condition = &backend.condition;
        condition.is_open()
            || match self {
                Self::None => false,
                Self::Unwell => !condition.is_draining(),
                Self::Drained => condition.is_well(),
                Self::All => true,
            }
    }
}

impl Story {
    /// Chooses a backend: the one of the request's session, or one that is due for a trial, or
    /// whom the policy picks; after all candidates have failed the backups.
    pub(super) fn pick(&mut self, body: &RequestBody, now: u64) -> Result<Picked, Refusal> {
        let in_force = Rc::clone(&self.in_force);
        if let Some(who) = self.again.take()
            && let Ok(chosen) = self.claim(who, now, Mercy::All)
        {
            return Ok(Picked::Backend(Chosen { fresh: true, ..chosen }));
        }
        if !self.tries_left() {
            return Err(self.failure.take().map_or_else(no_backend, Failure::refusal));
        }
        if let Some(sticky) = &in_force.generation.upstreams[self.upstream].sticky
            && self.tried.is_empty()
            && let Some(chosen) = self.resume(sticky, now)
        {
            return Ok(Picked::Backend(chosen));
        }
        if let Some(chosen) = self.take_trial(&in_force, body, now) {
            return Ok(Picked::Backend(chosen));
        }
        self.ask_policy(&in_force, now)
    }

    /// Tries a backend that was ejected, if one is due and the request is one to do it with.
    fn take_trial(&mut self, in_force: &InForce, body: &RequestBody, now: u64) -> Option<Chosen> {
        let upstream = &in_force.generation.upstreams[self.upstream];
        if now < upstream.health.trial_at() {
            return None;
        }
        let repeatable = self.facts.method.is_idempotent() && body.is_replayable();
        let may = |backend| !self.has_tried(backend);
        let backend = upstream.health.take_trial(upstream.ward(), now, repeatable, may)?;
        match self.claim(Who { backend, candidate: None }, now, Mercy::All) {
            Ok(chosen) => Some(Chosen { trial: true, ..chosen }),
            Err(_) => {
                upstream.health.give_up_trial(&upstream.backends[backend], now);
                None
            }
        }
    }

    /// Asks the policy until it names a backend that can take the request.
    fn ask_policy(&mut self, in_force: &InForce, now: u64) -> Result<Picked, Refusal> {
        let mut picker = in_force.pickers[self.upstream].borrow_mut();
        let mercy = if picker.candidates().panic { Mercy::Unwell } else { Mercy::None };
        let mut ask = self.ask(&picker, now);
        let mut full = false;
        loop {
            match self.ask_once(in_force, &mut picker, ask) {
                Decision::Candidate(index) => {
                    let candidate = Some((index, picker.mark()));
                    let backend = picker.candidates().places[index as usize] as usize;
                    match self.claim(Who { backend, candidate }, now, mercy) {
                        Ok(chosen) => return Ok(Picked::Backend(chosen)),
                        Err(unfit) => full |= unfit == Unfit::Full,
                    }
                    self.facts.tried.push(index);
                    ask.attempt += 1;
                }
                Decision::Reject(status) => return Err(rejected(status)),
                Decision::Exhausted => return self.beyond_the_policy(now, full),
            }
        }
    }

    fn ask_once(&mut self, in_force: &InForce, picker: &mut Picker, ask: Ask) -> Decision {
        let started = in_force.generation.time_picks.then(std::time::Instant::now);
        let decision = picker.pick(ask, &mut self.facts);
        self.pick_nanos += started.map_or(0, |started| started.elapsed().as_nanos() as u64);
        if in_force.generation.explain {
            self.explanation = picker.explain(ask, &mut self.facts);
        }
        decision
    }

    /// No candidate is left: a backup; else, rather than nobody, one that is not well.
    fn beyond_the_policy(&mut self, now: u64, mut full: bool) -> Result<Picked, Refusal> {
        let in_force = Rc::clone(&self.in_force);
        let backends = &in_force.generation.upstreams[self.upstream].backends;
        let backups = (0..backends.len()).filter(|place| backends[*place].backup);
        let spares = backups.map(|place| (place, Mercy::None));
        let merciful = (0..backends.len()).map(|place| (place, Mercy::Unwell));
        for (backend, mercy) in spares.chain(merciful) {
            if self.has_tried(backend) || !backends[backend].is_in_service() || (full && mercy != Mercy::None)
            {
                continue;
            }
            match self.claim(Who { backend, candidate: None }, now, mercy) {
                Ok(chosen) => return Ok(Picked::Backend(chosen)),
                Err(unfit) => full |= unfit == Unfit::Full,
            }
        }
        if full && (self.failure.is_none() || self.upstream().settings.queue.length > 0) {
            return Ok(Picked::Full);
        }
        Err(self.failure.take().map_or_else(no_backend, Failure::refusal))
    }

    /// Takes a place in a backend.
    pub(super) fn claim(&self, who: Who, now: u64, mercy: Mercy) -> Result<Chosen, Unfit> {
        let standing = Standing::new(&self.in_force, self.upstream, who.backend);
        let backend = standing.backend();
        if !mercy.admits(backend) {
            return Err(Unfit::Shut);
        }
        let in_flight = match backend.max_conns {
            None => InFlight::begin(standing, now),
            // Who comes now must not overtake those who wait.
            Some(_) if self.must_queue() => return Err(Unfit::Full),
            Some(most) => InFlight::begin_below(standing, now, most).ok_or(Unfit::Full)?,
        };
        Ok(Chosen { who, fresh: false, trial: false, in_flight })
    }

    fn ask(&mut self, picker: &Picker, now: u64) -> Ask {
        let attempt = self.tried.len() as u32;
        if attempt > 0 || !self.facts.tried.is_empty() {
            // Indices of candidates belong to the picker, which may have changed meanwhile.
            let places = picker.candidates().places.iter().enumerate();
            let tried = places.filter(|(_, place)| self.has_tried(**place as usize));
            self.facts.tried = tried.map(|(index, _)| index as u32).collect();
        }
        let key = if self.facts.key.is_empty() {
            0
        } else {
            xxhash_rust::xxh3::xxh3_64(&self.facts.key) & ((1 << 53) - 1)
        };
        let random = (self.worker.random() >> 33) as u32;
        Ask { key, attempt, random, now, body_length: self.facts.body_length }
    }

    pub(super) fn tries_left(&self) -> bool {
        self.upstream().settings.tries.is_none_or(|tries| self.tried.len() < tries as usize)
    }

    pub(super) fn has_tried(&self, backend: usize) -> bool {
        self.tried.iter().any(|tried| tried.backend == backend)
    }
}

fn rejected(status: u16) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Refusal::plain(status, "the policy refused this request")
}

fn no_backend() -> Refusal {
    Refusal::plain(StatusCode::BAD_GATEWAY, "this upstream has no backend in service")
}
