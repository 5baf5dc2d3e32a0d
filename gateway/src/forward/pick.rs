//! Choosing a backend, and choosing again.

use std::rc::Rc;

use http::StatusCode;

use super::answer::Refusal;
use super::request_body::RequestBody;
use super::retry::{Failure, Next};
use super::story::Story;
use crate::policy::{Ask, Decision, Picker};

/// Whom the request goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// Where it stands among the upstream's backends.
    pub(super) backend: usize,
    /// Whom the policy named: its candidate and the picker's mark. None for a backup that
    /// the gateway turned to itself.
    pub(super) candidate: Option<(u32, u64)>,
    /// On a fresh connection?
    pub(super) fresh: bool,
}

impl Story {
    /// Chooses a backend: the policy's pick, and after all candidates have failed the backups.
    pub(super) fn pick(&mut self) -> Result<Chosen, Refusal> {
        if let Some(again) = self.again.take() {
            return Ok(again);
        }
        let in_force = Rc::clone(&self.in_force);
        let mut picker = in_force.pickers[self.upstream].borrow_mut();
        if self.tries_left() {
            let ask = self.ask(&picker);
            let started = in_force.generation.time_picks.then(std::time::Instant::now);
            let decision = picker.pick(ask, &mut self.facts);
            self.pick_nanos += started.map_or(0, |started| started.elapsed().as_nanos() as u64);
            if in_force.generation.explain {
                self.explanation = picker.explain(ask, &mut self.facts);
            }
            match decision {
                Decision::Candidate(index) => {
                    let backend = picker.candidates().places[index as usize] as usize;
                    return Ok(Chosen { backend, candidate: Some((index, picker.mark())), fresh: false });
                }
                Decision::Reject(status) => return Err(rejected(status)),
                Decision::Exhausted => {}
            }
            if let Some(backend) = self.untried_backup() {
                return Ok(Chosen { backend, candidate: None, fresh: false });
            }
        }
        Err(self.failure.take().map_or_else(no_backend, Failure::refusal))
    }

    fn ask(&mut self, picker: &Picker) -> Ask {
        let attempt = self.tried.len() as u32;
        if attempt > 0 {
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
        Ask { key, attempt, random, now: self.now(), body_length: self.facts.body_length }
    }

    fn tries_left(&self) -> bool {
        self.upstream().settings.tries.is_none_or(|tries| self.tried.len() < tries as usize)
    }

    fn has_tried(&self, backend: usize) -> bool {
        self.tried.iter().any(|tried| tried.backend == backend)
    }

    fn untried_backup(&self) -> Option<usize> {
        let backends = self.upstream().backends.iter().enumerate();
        let mut fit = backends.filter(|(_, backend)| backend.backup && !backend.down);
        fit.find(|(place, _)| !self.has_tried(*place)).map(|(place, _)| place)
    }

    /// Goes on to the next attempt, or says what the client is told.
    pub(super) fn consider_retry(
        &mut self,
        failure: Failure,
        chosen: Chosen,
        body: &RequestBody,
    ) -> Result<(), Refusal> {
        self.received = body.received();
        match failure.next(&self.facts.method, body.is_whole()) {
            Next::GiveUp => return Err(failure.refusal()),
            Next::Elsewhere => {}
            Next::Again => {
                self.tried.pop();
                self.again = Some(Chosen { fresh: true, ..chosen });
            }
        }
        self.failure = Some(failure);
        Ok(())
    }
}

fn rejected(status: u16) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Refusal::plain(status, "the policy refused this request")
}

fn no_backend() -> Refusal {
    Refusal::plain(StatusCode::BAD_GATEWAY, "this upstream has no backend in service")
}
