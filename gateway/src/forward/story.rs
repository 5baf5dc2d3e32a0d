//! What is known of a request while it is being served.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Request, Response, StatusCode, Version};
use smallvec::SmallVec;

use super::admit::admit;
use super::answer::Refusal;
use super::attempt::{Answered, Attempt};
use super::body::{Body, keep};
use super::client::Client;
use super::deadline::Deadline;
use super::pick::Who;
use super::request_body::RequestBody;
use super::retry::{Failure, FailureKind, may_repeat};
use super::target;
use super::{InForce, Route, To, Upstream, Worker};
use crate::limit::Presence;
use crate::listen::{Incoming, Interim, Peer};
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
    /// Where answers before the answer go, if the request came by HTTP/2.
    pub(super) interim: Option<Interim>,
    /// Was what came no request? Then nothing is known of it.
    pub(super) unreadable: bool,
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
    pub(super) again: Option<Who>,
    /// Where the backend of its session stands.
    pub(super) session: Option<usize>,
    /// It has a place in the queue of its upstream.
    pub(super) queued: bool,
    /// When it must have ended.
    pub(super) deadline: Deadline,
    /// Of the last attempt.
    pub(super) failure: Option<Failure>,
    /// Path and query for the backend, if not those that were asked for.
    rewritten: Option<Box<str>>,
    /// 128 random bits, made when they are first asked for.
    id: Cell<Option<(u64, u64)>>,
    /// The client, if a trusted proxy has named it.
    pub(super) client: Option<Box<Client>>,
    /// Where it is counted until its answer has ended.
    pub(super) held: Box<[Presence]>,
}

impl Story {
    pub(super) fn begin(worker: Rc<Worker>, peer: Rc<Peer>) -> Self {
        let in_force = worker.in_force();
        Self {
            worker,
            peer,
            in_force,
            facts: Facts::default(),
            version: Version::HTTP_11,
            interim: None,
            unreadable: false,
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
            session: None,
            queued: false,
            deadline: Deadline::default(),
            failure: None,
            rewritten: None,
            id: Cell::new(None),
            client: None,
            held: Box::default(),
        }
    }

    /// Checks the head, takes the request apart, and finds its route.
    pub(super) fn receive(&mut self, request: Request<Incoming>) -> Result<RequestBody, Refusal> {
        let (parts, incoming) = request.into_parts();
        self.version = parts.version;
        self.interim = incoming.interim();
        let length = incoming.declared();
        let mut body = RequestBody::new(incoming);
        self.declares_length = length.is_some();
        self.facts = admit(parts, length, !body.is_ended())?;
        self.facts.client = self.peer.ip();
        self.look_behind();
        self.take_route(&mut body)?;
        Ok(body)
    }

    /// Finds the route and holds the body to the route's limit.
    fn take_route(&mut self, body: &mut RequestBody) -> Result<(), Refusal> {
        let host = std::str::from_utf8(&self.facts.host).unwrap_or_default();
        let found = self.in_force.generation.routes.find(host, &target::decoded(self.facts.target.path()));
        let found =
            found.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "no route for this host and path"))?;
        let route = Arc::clone(self.route.insert(Arc::clone(found)));
        if self.facts.body_length.is_some_and(|length| length > route.max_body) {
            let reason = format!(
                "the request's body is larger than the {} bytes that this route allows (max_body)",
                route.max_body
            );
            return Err(Refusal::limit(StatusCode::PAYLOAD_TOO_LARGE, reason));
        }
        body.limit(route.max_body);
        let To::Upstream(upstream) = route.to else { return Ok(()) };
        self.upstream = upstream;
        self.deadline = Deadline::new(self.began, route.timeout);
        self.rewritten = route.rewrite.as_ref().map(|rewrite| self.rewritten(rewrite));
        let in_force = Rc::clone(&self.in_force);
        let retry = &in_force.generation.upstreams[self.upstream].settings.retry;
        if may_repeat(&self.facts.method, &retry.on) {
            body.keep(retry.keep);
        }
        in_force.budgets[self.upstream].deposit(retry.budget);
        if let Some(key) = &in_force.generation.upstreams[self.upstream].hash_key {
            let mut bytes = std::mem::take(&mut self.facts.key);
            key.render(self, &mut bytes);
            self.facts.key = bytes;
        }
        Ok(())
    }

    /// 128 random bits, the same all through the request.
    pub(super) fn id(&self) -> (u64, u64) {
        let id = self.id.get().unwrap_or_else(|| (self.worker.random(), self.worker.random()));
        self.id.set(Some(id));
        id
    }

    /// The route, if it has limits.
    pub(super) fn limited(&self) -> Option<Arc<Route>> {
        self.route.as_ref().filter(|route| !route.limits.is_empty()).cloned()
    }

    /// The answer of a route that has one of its own.
    pub(super) fn answer_itself(&mut self) -> Option<Response<Body>> {
        let To::Page(_) = self.route.as_ref()?.to else { return None };
        let route = self.route.clone()?;
        let To::Page(page) = &route.to else { return None };
        Some(self.show(page, StatusCode::OK))
    }

    /// Passes a backend's answer on, or what stands for it.
    pub(super) fn relay(&mut self, mut answered: Answered, mut body: RequestBody) -> Response<Body> {
        self.received = body.received();
        if let Some(page) = self.page_instead(answered.head.status) {
            return page;
        }
        body.settle();
        if answered.attempt.is_tunnel() {
            body.begin_tunnel();
            answered.attempt.deadline = Deadline::default();
        }
        let mut headers = std::mem::take(&mut answered.head.headers);
        if self.upstream().sticky.is_some() {
            self.stick(answered.attempt.place(), &mut headers, clock::now());
        }
        let mut response = Response::new(Body::whole(Bytes::new()));
        *response.status_mut() = answered.head.status;
        *response.headers_mut() = headers;
        let whole = if body.is_passed_on() { answered.carrier.take_whole_body() } else { None };
        *response.body_mut() = match whole {
            None => Body::relay(answered, body, Rc::clone(&self.worker)),
            Some(bytes) => {
                let Answered { mut attempt, carrier, .. } = answered;
                // What came with the head took no time of its own.
                let outcome = attempt.complete(attempt.began() + u64::from(attempt.first_byte));
                self.end_attempt(outcome.total);
                keep(&self.worker, &attempt, carrier, outcome.now);
                Body::whole(bytes)
            }
        };
        response
    }

    /// The page that stands for an error of the backend, if the route wants that.
    fn page_instead(&mut self, status: StatusCode) -> Option<Response<Body>> {
        let route = self.route.as_ref().filter(|route| route.intercept_errors)?;
        let pages = Arc::clone(route.error_pages.as_ref()?);
        pages.get(status.as_u16()).map(|page| self.show(page, status))
    }

    /// Answers in the gateway's own name: with the page for this status, else with the reason.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Response<Body> {
        self.log_refusal(&refusal, "");
        let pages = match &self.route {
            Some(route) => route.error_pages.clone(),
            None => self.in_force.generation.error_pages.clone(),
        };
        let http1 = self.version != Version::HTTP_2;
        match pages.as_ref().and_then(|pages| pages.get(refusal.status.as_u16())) {
            Some(page) => {
                let mut response = self.show(page, refusal.status);
                refusal.mark(http1, response.headers_mut());
                response
            }
            None => refusal.into_response(http1),
        }
    }

    /// Gives the answer its last touch.
    pub(super) fn finish(&mut self, response: &mut Response<Body>) {
        self.status = response.status().as_u16();
        self.worker.traffic.count_answer(self.status);
        if let Some(route) = self.route.as_ref().filter(|route| !route.response_headers.is_empty()) {
            let route = Arc::clone(route);
            self.change_answer_headers(&route.response_headers, response.headers_mut());
        }
        if let Some(route) = self.route.as_ref().filter(|route| route.compression.is_some()) {
            let route = Arc::clone(route);
            self.compress(route.compression.as_deref(), response);
        }
        if self.is_told() && self.in_force.generation.keep_answer_headers {
            self.answer_headers = response.headers().clone();
        }
    }

    /// Is the story told when the answer has ended?
    pub(super) fn is_told(&self) -> bool {
        self.worker.logs()
    }

    /// The present; for the first attempt the moment the request began, which saves a look at
    /// the clock.
    pub(super) fn now(&self) -> u64 {
        if self.tried.is_empty() { self.began } else { clock::now() }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.in_force.generation.upstreams[self.upstream]
    }

    /// Path and query that the client asked for.
    pub(super) fn target(&self) -> &str {
        self.facts.target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// Path and query for the backend.
    pub(super) fn backend_target(&self) -> &str {
        self.rewritten.as_deref().unwrap_or_else(|| self.target())
    }

    /// The upstream that serves the request; none before it is known, and where the gateway
    /// answers itself.
    pub(super) fn known_upstream(&self) -> Option<&Upstream> {
        let To::Upstream(upstream) = self.route.as_ref()?.to else { return None };
        self.in_force.generation.upstreams.get(upstream)
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

    /// Says which limit a request has met.
    pub(super) fn log_refusal(&self, refusal: &Refusal, note: &str) {
        if !refusal.is_limit && !refusal.close {
            return;
        }
        let (client, status, reason) = (self.client_text(), refusal.status.as_str(), &refusal.reason);
        let route = self.route.as_ref().map_or("no route", |route| &route.name);
        self.worker.of_clients.make(|more| {
            tracing::warn!("{client}, {route}: {status}: {reason}{note}{more}");
        });
    }

    pub(super) fn log_failure(&self, attempt: &Attempt, failure: &Failure) {
        let FailureKind::Backend(cause, reason) = &failure.kind else { return };
        let (upstream, backend) = (&self.upstream().name, &attempt.backend().name);
        self.worker.of_backends.make(|more| {
            tracing::warn!("upstream {upstream}: {backend} {}: {reason}{more}", cause.verdict().name());
        });
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
