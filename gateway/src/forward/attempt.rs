//! One try to serve a request at one backend.

use std::borrow::Cow;
use std::future::poll_fn;

use http::{StatusCode, header};

use super::deadline::Deadline;
use super::exchange::{Exchange, Timeouts, is_interim};
use super::http2_head;
use super::in_force::Standing;
use super::pick::Chosen;
use super::request_body::RequestBody;
use super::request_head;
use super::retry::{Cause, Failure, FailureKind};
use super::story::Story;
use crate::alarm::Alarm;
use crate::proxy_protocol::{self, Addresses};
use crate::stats::{InFlight, Outcome, Verdict, clock};
use crate::upstream::http1::{Connection, Head};
use crate::upstream::{Backend, Carrier, Protocol, Settings, connect, http2, load_report};

/// An attempt in flight. It counts while it lives, and what became of it is recorded exactly
/// once: by [`Attempt::end`], or as cancelled when it is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    in_flight: InFlight<Standing>,
    /// Whom the policy named: its candidate and the picker's mark.
    candidate: Option<(u32, u64)>,
    /// It tries a backend that was ejected, and the backend has not passed yet.
    trial: bool,
    /// When the request must have ended.
    pub(super) deadline: Deadline,
    pub(super) connect: u32,
    pub(super) first_byte: u32,
    pub(super) status: u16,
    ended: Option<Outcome>,
}

impl Attempt {
    fn begin(chosen: Chosen, deadline: Deadline) -> Self {
        let Chosen { who, trial, in_flight, .. } = chosen;
        let candidate = who.candidate;
        Self { in_flight, candidate, trial, deadline, connect: 0, first_byte: 0, status: 0, ended: None }
    }

    /// Who is tried.
    pub(super) fn backend(&self) -> &Backend {
        self.in_flight.holder().backend()
    }

    /// Sets the alarm for the next silence of the backend.
    pub(super) fn wait_with(&self, alarm: &Alarm) {
        self.deadline.set(alarm, self.settings().read_timeout);
    }

    /// Whose backend it is.
    pub(super) fn upstream_name(&self) -> &str {
        &self.in_flight.holder().upstream().name
    }

    /// Where the backend stands among the upstream's.
    pub(super) fn place(&self) -> usize {
        self.in_flight.holder().place()
    }

    /// When it began.
    pub(super) fn began(&self) -> u64 {
        self.in_flight.began()
    }

    /// Settings of its upstream.
    pub(super) fn settings(&self) -> &Settings {
        &self.in_flight.holder().upstream().settings
    }

    /// Keeps what the backend reports of itself, if the policy asks for such things.
    fn note_report(&self, head: &Head) {
        let standing = self.in_flight.holder();
        let wanted = standing.picker().try_borrow().is_ok_and(|picker| picker.wants_reports());
        let now = || self.began() + u64::from(self.first_byte);
        if wanted && let Some(report) = load_report(&head.headers, now()) {
            standing.note_report(report);
        }
    }

    /// The head of an answer is there. A backend on trial has passed with it: the body may take
    /// hours.
    fn has_answered(&mut self, status: u16, now: u64) {
        self.status = status;
        self.first_byte = clock::span(self.began(), now);
        if self.trial && !matches!(status, 502..=504) {
            let standing = self.in_flight.holder();
            standing.upstream().health.pass_trial(standing.backend(), now);
            self.trial = false;
        }
    }

    /// The answer has ended whole, at time `now`.
    pub(super) fn complete(&mut self, now: u64) -> Outcome {
        // How long a tunnel stood says nothing of how fast its backend answers.
        let now = if self.is_tunnel() { self.began() + u64::from(self.first_byte) } else { now };
        self.end_at(now, if self.status >= 500 { Verdict::ServerError } else { Verdict::Success })
    }

    /// Did the backend switch to another protocol?
    pub(super) fn is_tunnel(&self) -> bool {
        self.status == StatusCode::SWITCHING_PROTOCOLS.as_u16()
    }

    /// Records how it ended, now; what comes later is ignored.
    pub(super) fn end(&mut self, verdict: Verdict) -> Outcome {
        match self.ended {
            Some(outcome) => outcome,
            None => self.end_at(clock::now(), verdict),
        }
    }

    fn end_at(&mut self, now: u64, verdict: Verdict) -> Outcome {
        let total = clock::span(self.began(), now);
        let outcome = Outcome {
            verdict,
            status: self.status,
            connect: self.connect,
            first_byte: self.first_byte,
            total,
            now,
        };
        self.ended = Some(outcome);
        let standing = self.in_flight.holder();
        let upstream = standing.upstream();
        standing.record(&outcome, &upstream.stats);
        let unsuccessful = upstream.settings.retry.on.is_unsuccessful(verdict, self.status);
        upstream.health.note(upstream.ward(), standing.place(), &outcome, self.trial, unsuccessful);
        if let Some((candidate, mark)) = self.candidate
            && let Ok(mut picker) = standing.picker().try_borrow_mut()
        {
            picker.done(candidate, mark, &outcome);
        }
        outcome
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Either side may end a tunnel; that is how tunnels end.
        if self.is_tunnel() && self.ended.is_none() {
            self.complete(0);
        }
        self.end(Verdict::Cancelled);
    }
}

/// A backend has begun to answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: Head,
    pub(super) carrier: Carrier,
    pub(super) attempt: Attempt,
    pub(super) alarm: Alarm,
}

impl Story {
    /// Sends the request to the chosen backend and waits for the head of its answer.
    pub(super) async fn attempt(
        &mut self,
        chosen: Chosen,
        body: &mut RequestBody,
    ) -> Result<Answered, Failure> {
        let (backend, fresh) = (chosen.who.backend, chosen.fresh);
        let mut attempt = Attempt::begin(chosen, self.deadline);
        let alarm = self.worker.alarms.alarm();
        match self.try_once(&mut attempt, &alarm, fresh, body).await {
            Ok((head, carrier)) => {
                attempt.has_answered(head.status.as_u16(), clock::now());
                attempt.note_report(&head);
                self.note_attempt(backend, &attempt, 0);
                Ok(Answered { head, carrier, attempt, alarm })
            }
            Err(mut failure) => {
                failure.trial = attempt.trial;
                let outcome = attempt.end(failure.kind.verdict());
                self.note_attempt(backend, &attempt, outcome.total);
                self.log_failure(&attempt, &failure);
                Err(failure)
            }
        }
    }

    async fn try_once(
        &mut self,
        attempt: &mut Attempt,
        alarm: &Alarm,
        fresh: bool,
        body: &mut RequestBody,
    ) -> Result<(Head, Carrier), Failure> {
        let (mut carrier, reused) = match attempt.settings().protocol {
            Protocol::Http1 => self.take_connection(attempt, fresh, body).await?,
            // Boxed, as all that would make the future of every request larger.
            Protocol::Http2 { max_streams } => {
                Box::pin(self.open_stream(attempt, fresh, body, max_streams)).await?
            }
        };
        let timeouts = Timeouts::of(attempt, self.in_force.generation.body_timeout);
        let mut exchange = Exchange::new(&mut carrier, body, alarm, timeouts);
        let method = &self.facts.method;
        let head = loop {
            let head = poll_fn(|cx| exchange.poll(method, cx)).await;
            match head {
                Ok(head) if is_interim(head.status) => self.relay_interim(head),
                Ok(head) => break Ok(head),
                Err(kind) => break Err(kind),
            }
        };
        match head {
            Ok(head) => Ok((head, carrier)),
            Err(kind) => {
                if kind.verdict() == Verdict::TimedOut {
                    carrier.mistrust();
                }
                let (sent, answered) = (carrier.has_sent(), carrier.has_answered());
                Err(Failure { kind, sent, answered, reused, trial: false })
            }
        }
    }

    /// A connection of HTTP/1.1, idle or new, with the request's head queued; and whether it has
    /// served before.
    async fn take_connection(
        &self,
        attempt: &mut Attempt,
        fresh: bool,
        body: &RequestBody,
    ) -> Result<(Carrier, bool), Failure> {
        let oldest = attempt.began().saturating_sub(clock::micros(attempt.settings().idle_timeout));
        let kept = if fresh { None } else { self.worker.pools.take(attempt.backend().slot, oldest) };
        let reused = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            // Boxed, because it is rare and would make the future of every request larger.
            None => Box::pin(open(attempt, self.greeting(attempt.settings()))).await?,
        };
        request_head::write(self, body.is_chunked(), body.is_upgrade(), connection.begin());
        Ok((Carrier::Http1(connection), reused))
    }

    /// A stream of HTTP/2 that begins with the request's head; and whether its connection has
    /// served before. A second try at the same backend takes any connection that is still good,
    /// and is the last one.
    async fn open_stream(
        &self,
        attempt: &mut Attempt,
        again: bool,
        body: &RequestBody,
        max_streams: usize,
    ) -> Result<(Carrier, bool), Failure> {
        let lanes = &self.worker.pools.lanes;
        let seat = match lanes.seat_now(attempt.backend().slot) {
            Some(seat) => seat,
            None => {
                let limit = attempt.deadline.within(attempt.settings().connect_timeout);
                let backend = attempt.in_flight.holder().shared_backend();
                let made = tokio::time::timeout(limit, lanes.seat(backend, max_streams, limit)).await;
                attempt.connect = clock::span(attempt.began(), clock::now()).max(1);
                made.map_err(|_| too_slow(attempt))?
                    .map_err(|error| no_connection(Cause::Connect, error.to_string().into()))?
            }
        };
        let reused = seat.is_reused() && !again;
        let unsent = |cause, reason: String| Failure {
            kind: FailureKind::Backend(cause, reason.into()),
            sent: false,
            answered: false,
            reused,
            trial: false,
        };
        let encrypted = attempt.backend().tls.is_some();
        let head = http2_head::compose(self, body.is_chunked(), encrypted)
            .map_err(|error| unsent(Cause::Unsendable, error.to_string()))?;
        let exchange = http2::Exchange::begin(seat, head, body.is_ended())
            .map_err(|error| unsent(Cause::Broken, error.to_string()))?;
        Ok((Carrier::Http2(Box::new(exchange)), reused))
    }
}

/// Opens a fresh connection within the connect timeout, and begins it with `greeting`.
async fn open(attempt: &mut Attempt, greeting: Vec<u8>) -> Result<Box<Connection>, Failure> {
    let limit = attempt.deadline.within(attempt.settings().connect_timeout);
    let connected = tokio::time::timeout(limit, connect(attempt.backend(), &greeting)).await;
    attempt.connect = clock::span(attempt.began(), clock::now()).max(1);
    match connected {
        Ok(Ok(stream)) => Ok(Box::new(Connection::new(stream))),
        Ok(Err(error)) => Err(no_connection(Cause::Connect, error.to_string().into())),
        Err(_) => Err(too_slow(attempt)),
    }
}

fn too_slow(attempt: &Attempt) -> Failure {
    if attempt.deadline.has_passed() {
        return no_connection(
            Cause::Overdue,
            "no connection before the request's time was up (timeout)".into(),
        );
    }
    let limit = attempt.settings().connect_timeout;
    no_connection(Cause::ConnectTimeout, format!("no connection within {limit:?} (connect_timeout)").into())
}

fn no_connection(cause: Cause, reason: Cow<'static, str>) -> Failure {
    let kind = FailureKind::Backend(cause, reason);
    Failure { kind, sent: false, answered: false, reused: false, trial: false }
}

impl Story {
    /// What a new connection to a backend begins with: the client, in the PROXY protocol, if the
    /// upstream wants that.
    fn greeting(&self, settings: &Settings) -> Vec<u8> {
        let mut greeting = Vec::new();
        if let Some(version) = settings.proxy_protocol {
            let addresses = self.client_address().zip(self.peer.local());
            let addresses = addresses.map(|(source, destination)| Addresses { source, destination });
            proxy_protocol::write(version, addresses, &mut greeting);
        }
        greeting
    }

    /// 103 is for the client (RFC 8297), unless it speaks HTTP/1.0; 100 was for us.
    fn relay_interim(&self, mut head: Head) {
        if head.status != StatusCode::EARLY_HINTS {
            return;
        }
        // RFC 9110 section 8.6: there is no body, and who believes in one would wait for it.
        head.headers.remove(header::CONTENT_LENGTH);
        match &self.interim {
            Some(interim) => interim.push(head.status, head.headers),
            None if self.version == http::Version::HTTP_11 => self.peer.send_interim(&text_of(&head)),
            None => {}
        }
    }
}

/// Early hints as they stand in HTTP/1.1.
fn text_of(hints: &Head) -> Vec<u8> {
    let mut text = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
    for (name, value) in &hints.headers {
        text.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend_from_slice(b"\r\n");
    text
}
