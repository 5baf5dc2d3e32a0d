//! What is known of a request while it is being served.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use smallvec::SmallVec;

use super::admit::admit;
use super::answer::Refusal;
use super::attempt::{Answered, Attempt};
use super::body::{Body, keep};
use super::request_body::RequestBody;
use super::retry::{Failure, FailureKind, Next};
use super::target;
use super::{InForce, Route, Upstream, Worker};
use crate::listen::Peer;
use crate::policy::{Ask, Decision, Facts, Picker};
use crate::stats::clock;
use crate::upstream::Backend;

/// Status of the log line when the client left before it was answered, as in nginx.
const CLIENT_CLOSED: u16 = 499;

/// Whom the request goes to.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) backend: Arc<Backend>,
    /// Whom the policy named: its candidate and the age of its picker. None for a backup that
    /// the gateway turned to itself.
    pub(super) candidate: Option<(u32, u64)>,
    /// On a fresh connection?
    pub(super) fresh: bool,
}

/// An attempt, for the log. Times in microseconds.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) backend: Arc<Backend>,
    pub(super) status: u16,
    pub(super) connect: u32,
    pub(super) first_byte: u32,
    pub(super) total: u32,
}

/// One request, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) worker: Rc<Worker>,
    pub(super) peer: Rc<Peer>,
    pub(super) in_force: Rc<InForce>,
    pub(super) facts: Facts,
    pub(super) version: Version,
    pub(super) route: Option<Arc<Route>>,
    pub(super) upstream: usize,
    pub(super) began: u64,
    pub(super) tried: SmallVec<[Tried; 1]>,
    pub(super) status: u16,
    pub(super) body_bytes: u64,
    pub(super) received: u64,
    pub(super) pick_nanos: u64,
    pub(super) explanation: Option<String>,
    /// The answer's fields, kept only if somebody asks for them.
    pub(super) answer_headers: HeaderMap,
    declares_length: bool,
    again: Option<Chosen>,
    failure: Option<Failure>,
}

impl Story {
    pub(super) fn begin(worker: Rc<Worker>, peer: Rc<Peer>, request: &Request<Incoming>) -> Self {
        let in_force = worker.in_force();
        Self {
            worker,
            peer,
            in_force,
            facts: Facts::default(),
            version: request.version(),
            route: None,
            upstream: 0,
            began: clock::now(),
            tried: SmallVec::new(),
            status: 0,
            body_bytes: 0,
            received: 0,
            pick_nanos: 0,
            explanation: None,
            answer_headers: HeaderMap::new(),
            declares_length: false,
            again: None,
            failure: None,
        }
    }

    /// Checks the head, takes the request apart, and finds its route.
    pub(super) fn receive(&mut self, request: Request<Incoming>) -> Result<RequestBody, Refusal> {
        let (parts, incoming) = request.into_parts();
        let length = http_body::Body::size_hint(&incoming).exact();
        let mut body = RequestBody::new(incoming);
        // A body that is there declares its length or is chunked; only of an empty one it is not
        // known without a look at the fields whether its length was declared.
        self.declares_length = match body.is_ended() {
            true => parts.headers.contains_key(header::CONTENT_LENGTH),
            false => length.is_some(),
        };
        self.facts = admit(parts, length, !body.is_ended())?;
        self.facts.client = self.peer.ip();
        self.take_route(&mut body)?;
        Ok(body)
    }

    /// Finds the route and holds the body to the route's limit.
    fn take_route(&mut self, body: &mut RequestBody) -> Result<(), Refusal> {
        let host = std::str::from_utf8(&self.facts.host).unwrap_or_default();
        let found = self.in_force.generation.routes.find(host, &target::decoded(self.facts.target.path()));
        let route = Arc::clone(
            found.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "no route for this host and path"))?,
        );
        if self.facts.body_length.is_some_and(|length| length > route.max_body) {
            let reason = format!(
                "the request's body is larger than the {} bytes that this route allows (max_body)",
                route.max_body
            );
            return Err(Refusal::closing(StatusCode::PAYLOAD_TOO_LARGE, reason));
        }
        body.limit(route.max_body);
        self.upstream = route.upstream;
        self.route = Some(route);
        let in_force = Rc::clone(&self.in_force);
        if let Some(key) = &in_force.generation.upstreams[self.upstream].hash_key {
            let mut bytes = std::mem::take(&mut self.facts.key);
            key.render(self, &mut bytes);
            self.facts.key = bytes;
        }
        Ok(())
    }

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
                    let backend = Arc::clone(&picker.candidates().backends[index as usize]);
                    return Ok(Chosen { backend, candidate: Some((index, picker.age())), fresh: false });
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
            // Indices belong to the picker, which may have changed since the last attempt.
            let slots = |slot| self.tried.iter().any(|tried| tried.backend.slot == slot);
            let candidates = picker.candidates().backends.iter().enumerate();
            self.facts.tried = candidates
                .filter(|(_, backend)| slots(backend.slot))
                .map(|(index, _)| index as u32)
                .collect();
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

    fn untried_backup(&self) -> Option<Arc<Backend>> {
        let tried = |slot| self.tried.iter().any(|tried| tried.backend.slot == slot);
        let fit = |backend: &&Arc<Backend>| backend.backup && !backend.down && !tried(backend.slot);
        self.upstream().backends.iter().find(fit).map(Arc::clone)
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

    /// Passes a backend's answer on.
    pub(super) fn relay(&mut self, mut answered: Answered, body: RequestBody) -> Response<Body> {
        self.received = body.received();
        let headers = std::mem::take(&mut answered.head.headers);
        let mut response = Response::new(Body::whole(Bytes::new()));
        *response.status_mut() = answered.head.status;
        *response.headers_mut() = headers;
        let whole = if body.is_ended() { answered.connection.take_whole_body() } else { None };
        *response.body_mut() = match whole {
            None => Body::relay(answered, body, Rc::clone(&self.worker)),
            Some(bytes) => {
                let Answered { mut attempt, connection, .. } = answered;
                // What came with the head took no time of its own.
                let outcome = attempt.complete(attempt.began() + u64::from(attempt.first_byte));
                self.end_attempt(outcome.total);
                keep(&self.worker, &attempt, connection, outcome.now);
                Body::whole(bytes)
            }
        };
        response
    }

    /// Answers in the gateway's own name.
    pub(super) fn refuse(&self, refusal: Refusal) -> Response<Body> {
        refusal.into_response(self.version != Version::HTTP_2)
    }

    /// Gives the answer its last touch.
    pub(super) fn finish(&mut self, response: &mut Response<Body>) {
        self.status = response.status().as_u16();
        self.worker.traffic.count_answer(self.status);
        if let Some(route) = self.route.clone()
            && !route.response_headers.is_empty()
        {
            self.set_answer_headers(&route, response.headers_mut());
        }
        if self.is_told() && self.in_force.generation.keep_answer_headers {
            self.answer_headers = response.headers().clone();
        }
    }

    /// Is the story told when the answer has ended?
    pub(super) fn is_told(&self) -> bool {
        self.worker.logs()
    }

    fn set_answer_headers(&mut self, route: &Route, headers: &mut HeaderMap) {
        std::mem::swap(&mut self.answer_headers, headers);
        let mut value = Vec::new();
        for rule in &route.response_headers {
            value.clear();
            if let Some(template) = &rule.value {
                template.render(self, &mut value);
            }
            match HeaderValue::from_bytes(&value) {
                Ok(value) if !value.is_empty() => drop(self.answer_headers.insert(rule.name.clone(), value)),
                _ => drop(self.answer_headers.remove(&rule.name)),
            }
        }
        std::mem::swap(&mut self.answer_headers, headers);
    }

    /// The present; for the first attempt the moment the request began, which saves a look at
    /// the clock.
    pub(super) fn now(&self) -> u64 {
        if self.tried.is_empty() { self.began } else { clock::now() }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.in_force.generation.upstreams[self.upstream]
    }

    /// Path and query for the backend.
    pub(super) fn target(&self) -> &str {
        self.facts.target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// Did the client declare the length of the body?
    pub(super) fn declares_length(&self) -> bool {
        self.declares_length
    }

    pub(super) fn note_attempt(&mut self, attempt: &Attempt, total: u32) {
        let Attempt { backend, status, connect, first_byte, .. } = attempt;
        self.tried.push(Tried {
            backend: Arc::clone(backend),
            status: *status,
            connect: *connect,
            first_byte: *first_byte,
            total,
        });
    }

    pub(super) fn end_attempt(&mut self, total: u32) {
        if let Some(last) = self.tried.last_mut() {
            last.total = total;
        }
    }

    pub(super) fn log_failure(&self, attempt: &Attempt, failure: &Failure) {
        let FailureKind::Backend(verdict, reason) = &failure.kind else { return };
        let Some(unsaid) = self.worker.may_complain(clock::now()) else { return };
        let (upstream, backend) = (&self.upstream().name, &attempt.backend.name);
        let more =
            if unsaid == 0 { String::new() } else { format!(" ({unsaid} more like this went unsaid)") };
        tracing::warn!("upstream {upstream}: {backend} {}: {reason}{more}", verdict.name());
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !self.is_told() {
            return;
        }
        if self.status == 0 {
            self.status = CLIENT_CLOSED;
        }
        let worker = Rc::clone(&self.worker);
        worker.with_lines(|lines| lines.write(self));
    }
}

fn rejected(status: u16) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Refusal::plain(status, "the policy refused this request")
}

fn no_backend() -> Refusal {
    Refusal::plain(StatusCode::BAD_GATEWAY, "this upstream has no backend in service")
}

#[cfg(test)]
mod tests {
    use super::Story;

    #[test]
    fn a_story_fits_a_small_allocation() {
        // Above 1 KiB the allocator leaves its fast path, for every request.
        assert!(size_of::<Story>() <= 1024, "{}", size_of::<Story>());
    }
}
