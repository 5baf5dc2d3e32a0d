//! Writing down what happens to an instance while it serves.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_channel::{Receiver, Sender, unbounded};
use std::time::{Duration, Instant};

use super::{Answer, Born, Changes, Done, Event, FORMAT, Header, Inquiry, MemberLine, Pick, Tick, encoded};
use crate::policy::{Ask, Birth, BirthError, Choice, Facts, Fault, Instance, Policy};
use crate::stats::{NUMBERS, Outcome};
use crate::upstream::Candidates;

/// A recording under way: shared by the recorders of all workers, read by whoever asked for it.
#[derive(Debug)]
pub struct Session {
    /// Requests that may still begin.
    requests: AtomicU64,
    /// Bytes that may still be written.
    room: AtomicU64,
    headers: bool,
}

/// What recorders send.
enum Message {
    Line(String),
    /// The last request, or the last byte of room, has been used.
    Last,
}

/// Where the lines of a session arrive.
pub struct Lines {
    session: Arc<Session>,
    asked: u64,
    arriving: Receiver<Message>,
}

/// The end from which recorders are made. A recording ends when all of them are gone.
#[derive(Clone)]
pub struct Recorders {
    session: Arc<Session>,
    lines: Sender<Message>,
}

/// What a recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The recording, a whole file.
    pub text: String,
    /// Requests in it.
    pub requests: u64,
    /// Did it end because there was no more room?
    pub full: bool,
}

impl Session {
    /// A recording of at most so many requests and bytes, with or without header fields.
    #[must_use]
    pub fn open(requests: u64, room: u64, headers: bool) -> (Recorders, Lines) {
        let (lines, arriving) = unbounded();
        let session = Self { requests: AtomicU64::new(requests), room: AtomicU64::new(room), headers };
        let session = Arc::new(session);
        (Recorders { session: Arc::clone(&session), lines }, Lines { session, asked: requests, arriving })
    }

    /// Takes `number` of what is left; false when there is not enough.
    fn take(left: &AtomicU64, number: u64) -> bool {
        left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(number)).is_ok()
    }
}

impl Lines {
    /// Gathers the recording until it is complete or `patience` runs out. The policy, its options
    /// and the upstream go into the first line.
    #[must_use]
    pub fn gather(self, upstream: &str, policy: &Policy, options: &str, patience: Duration) -> Summary {
        let header = Header {
            recording: FORMAT,
            gateway: env!("CARGO_PKG_VERSION").to_owned(),
            upstream: upstream.to_owned(),
            policy: policy.name().to_owned(),
            version: policy.version().to_owned(),
            options: options.to_owned(),
            headers: self.session.headers || reads_headers(policy),
        };
        let mut text = line(&header);
        let deadline = Instant::now() + patience;
        // Until the last line, or as long as there is patience.
        while let Ok(Message::Line(line)) = self.arriving.recv_deadline(deadline) {
            text.push_str(&line);
        }
        let left = self.session.requests.load(Relaxed);
        Summary { text, requests: self.asked - left, full: self.session.room.load(Relaxed) == 0 }
    }
}

/// Does the policy read header fields? Then they belong to what its choices depend on.
fn reads_headers(policy: &Policy) -> bool {
    let reads = |import: &str| matches!(import, "request-info#header" | "request-info#cookie");
    policy.imports().iter().any(|import| reads(import))
}

/// Stands beside an instance and writes down what it is told and what it answers.
pub struct Recorder {
    /// None when the recording is complete; the instance goes on until it is replaced.
    writing: Option<Recorders>,
    number: usize,
    headers: bool,
    live: Arc<Candidates>,
    mirror: Arc<Candidates>,
    upstream: u64,
    last: Vec<[u64; NUMBERS]>,
}

impl Recorders {
    /// Gives birth to an instance that is recorded from its first call on. `birth` has the live
    /// candidates; the instance gets a mirror of them.
    ///
    /// # Errors
    /// As [`Policy::instantiate_at`].
    pub fn born(
        &self,
        policy: &Arc<Policy>,
        birth: &Birth<'_>,
        worker: usize,
        now: u64,
    ) -> Result<(Instance, Recorder), BirthError> {
        let live = Arc::clone(&birth.candidates);
        let mirror = Arc::new(live.mirrored());
        let mut recorder = Recorder {
            writing: Some(self.clone()),
            number: worker,
            headers: self.session.headers || reads_headers(policy),
            upstream: mirror.stats.number(),
            last: mirror.counters.iter().map(|counters| counters.numbers()).collect(),
            live,
            mirror,
        };
        let born = Born {
            instance: worker,
            now,
            seed: birth.seed,
            state: birth.state.map(encoded),
            members: recorder.mirror.members.iter().map(MemberLine::of).collect(),
            stats: Changes {
                upstream: Some(recorder.upstream),
                backends: (0..).zip(recorder.last.clone()).collect(),
            },
        };
        recorder.write(&Event::Born(born));
        let Birth { options, seed, state, limits, .. } = *birth;
        let birth = Birth { options, candidates: Arc::clone(&recorder.mirror), seed, state, limits };
        Ok((policy.instantiate_at(birth, now)?, recorder))
    }
}

impl Recorder {
    /// Brings the mirror up to date, before a call. What changed goes into the call's line.
    pub(in crate::policy) fn look(&mut self) -> Changes {
        let mut changes = Changes::default();
        let upstream = self.live.stats.number();
        if upstream != self.upstream {
            self.upstream = upstream;
            self.mirror.stats.take_on(upstream);
            changes.upstream = Some(upstream);
        }
        let counters = self.live.counters.iter().zip(&self.mirror.counters);
        for ((index, (live, mirror)), last) in (0..).zip(counters).zip(&mut self.last) {
            let numbers = live.numbers();
            if numbers != *last {
                *last = numbers;
                mirror.take_on(&numbers);
                changes.backends.push((index, numbers));
            }
        }
        changes
    }

    /// Writes a pick down.
    pub(in crate::policy) fn picked(
        &mut self,
        ask: &Ask,
        facts: &Facts,
        stats: Changes,
        choice: &Result<Choice, Fault>,
    ) {
        // Retries belong to requests that have begun already.
        if ask.attempt == 0 && self.writing.as_ref().is_some_and(|to| !Session::take(&to.session.requests, 1))
        {
            self.finish();
        }
        self.write_pick(ask, facts, stats, choice.into());
        let is_last = self.writing.as_ref().is_some_and(|to| to.session.requests.load(Relaxed) == 0);
        if is_last {
            self.finish();
        }
    }

    /// Notes that a pick was explained: the policy may have learnt from that.
    pub(in crate::policy) fn explained(&mut self, ask: &Ask, facts: &Facts, stats: Changes) {
        self.write_pick(ask, facts, stats, Answer::Explained);
    }

    fn write_pick(&mut self, ask: &Ask, facts: &Facts, stats: Changes, answer: Answer) {
        if self.writing.is_none() {
            return;
        }
        let request = Inquiry::of(facts, self.headers);
        self.write(&Event::Pick(Box::new(Pick {
            instance: self.number,
            ask: ask.into(),
            request,
            stats,
            answer,
        })));
    }

    /// Writes down how an attempt ended.
    pub(in crate::policy) fn done(&mut self, backend: u32, outcome: &Outcome, stats: Changes) {
        self.write(&Event::Done(Done::new(self.number, backend, outcome, stats)));
    }

    /// Writes a tick down.
    pub(in crate::policy) fn ticked(&mut self, now: u64, stats: Changes) {
        self.write(&Event::Tick(Tick { instance: self.number, now, stats }));
    }

    fn write(&mut self, event: &Event) {
        let Some(to) = &self.writing else { return };
        let line = line(event);
        if Session::take(&to.session.room, line.len() as u64) {
            // Nobody listens any more when the patience of whoever asked has run out.
            let _ = to.lines.send(Message::Line(line));
        } else {
            to.session.room.store(0, Relaxed);
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(to) = self.writing.take() {
            let _ = to.lines.send(Message::Last);
        }
    }
}

impl MemberLine {
    fn of(member: &crate::upstream::Member) -> Self {
        let backend = &member.backend;
        let labels = backend.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        Self {
            name: backend.name.to_string(),
            weight: backend.weight,
            zone: backend.zone.as_deref().map(str::to_owned),
            labels: labels.collect(),
            candidate: member.candidate,
        }
    }
}

fn line(of: &impl serde::Serialize) -> String {
    // Nothing in these types can fail to become JSON: no maps, no numbers that are none.
    let mut line = serde_json::to_string(of).unwrap_or_default();
    line.push('\n');
    line
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("instance", &self.number).finish_non_exhaustive()
    }
}
