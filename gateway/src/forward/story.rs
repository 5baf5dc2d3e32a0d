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
use super::pick::Chosen;
use super::request_body::RequestBody;
use super::retry::{Failure, FailureKind};
use super::target;
use super::{InForce, Route, Upstream, Worker};
use crate::listen::Peer;
use crate::policy::Facts;
use crate::stats::clock;

/// Status of the log line when the client left before it was answered, as in nginx.
const CLIENT_CLOSED: u16 = 499;

/// An attempt, for the log. Times in microseconds.
#[derive(Debug)]
pub(super) struct Tried {
    /// Where it stands among the upstream's backends.
    pub(super) backend: usize,
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
    /// To be tried once more, on a fresh connection.
    pub(super) again: Option<Chosen>,
    /// Of the last attempt.
    pub(super) failure: Option<Failure>,
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

    pub(super) fn note_attempt(&mut self, backend: usize, attempt: &Attempt, total: u32) {
        let Attempt { status, connect, first_byte, .. } = *attempt;
        self.tried.push(Tried { backend, status, connect, first_byte, total });
    }

    pub(super) fn end_attempt(&mut self, total: u32) {
        if let Some(last) = self.tried.last_mut() {
            last.total = total;
        }
    }

    pub(super) fn log_failure(&self, attempt: &Attempt, failure: &Failure) {
        let FailureKind::Backend(verdict, reason) = &failure.kind else { return };
        let Some(unsaid) = self.worker.may_complain(clock::now()) else { return };
        let (upstream, backend) = (&self.upstream().name, &attempt.backend().name);
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

#[cfg(test)]
mod tests {
    use super::Story;

    #[test]
    fn a_story_fits_a_small_allocation() {
        // Above 1 KiB the allocator leaves its fast path, for every request.
        assert!(size_of::<Story>() <= 1024, "{}", size_of::<Story>());
    }
}
