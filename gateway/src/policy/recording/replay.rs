//! Asking a policy again what was recorded.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Answer, Born, Changes, Event, MemberLine, Pick, Recording, decoded};
use crate::policy::{Ask, Birth, BirthError, Instance, Limits, Policy};
use crate::stats::{BackendStats, UpstreamStats};
use crate::upstream::{Backend, Candidates, Member};

/// What came of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Picks that were made again.
    pub picks: u64,
    /// Those with the same answer as recorded.
    pub same: u64,
    /// The first one with another answer.
    pub first: Option<Difference>,
    /// For each backend by name, in order: how often it was chosen in the recording, and now.
    pub chosen: Vec<(String, u64, u64)>,
    /// Picks that failed.
    pub faults: u64,
}

/// A pick that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of the pick, from 0.
    pub pick: u64,
    /// The answer in the recording.
    pub recorded: String,
    /// The answer now.
    pub now: String,
}

impl Replayed {
    /// Was every answer the same?
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.same == self.picks
    }

    fn count(&mut self, name: &str, recorded: u64, now: u64) {
        let known = self.chosen.iter_mut().find(|(known, ..)| known == name);
        match known {
            Some(counts) => (counts.1, counts.2) = (counts.1 + recorded, counts.2 + now),
            None => self.chosen.push((name.to_owned(), recorded, now)),
        }
    }
}

impl Recording {
    /// Tells and asks `policy` what was recorded, with the statistics as they stood. The recorded
    /// version with the recorded options answers as it did, bit for bit, unless a pick took longer
    /// than `limits` allow. State that was handed over goes to a policy of the same name only.
    ///
    /// # Errors
    /// The policy refuses its options or fails at birth.
    pub fn replay(
        &self,
        policy: &Arc<Policy>,
        options: &str,
        limits: Limits,
    ) -> Result<Replayed, BirthError> {
        let mut stage = Stage::new(self, policy, options, limits);
        let mut replayed = Replayed::default();
        for event in &self.events {
            if let Event::Born(born) = event {
                for member in born.members.iter().filter(|member| member.candidate.is_some()) {
                    replayed.count(&member.name, 0, 0);
                }
            }
            let Some((pick, answer)) = stage.play(event)? else { continue };
            let number = replayed.picks;
            replayed.picks += 1;
            replayed.faults += u64::from(matches!(answer, Answer::Fault(_)));
            for (answer, recorded, now) in [(&pick.answer, 1, 0), (&answer, 0, 1)] {
                if let Some(name) = stage.name(pick.instance, answer) {
                    replayed.count(&name, recorded, now);
                }
            }
            if answer == pick.answer {
                replayed.same += 1;
            } else if replayed.first.is_none() {
                let told = |answer: &Answer| stage.told(pick.instance, answer);
                let (recorded, now) = (told(&pick.answer), told(&answer));
                replayed.first = Some(Difference { pick: number, recorded, now });
            }
        }
        Ok(replayed)
    }
}

/// The instances of a recording, as far as it has been played.
pub(super) struct Stage<'a> {
    recording: &'a Recording,
    policy: &'a Arc<Policy>,
    options: &'a str,
    limits: Limits,
    pub(super) actors: HashMap<usize, Actor>,
}

/// One instance, and the statistics that it reads.
pub(super) struct Actor {
    pub(super) instance: Option<Instance>,
    pub(super) candidates: Arc<Candidates>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        recording: &'a Recording,
        policy: &'a Arc<Policy>,
        options: &'a str,
        limits: Limits,
    ) -> Self {
        Self { recording, policy, options, limits, actors: HashMap::new() }
    }

    /// Plays one event; for a pick, the pick and what is answered now.
    pub(super) fn play<'e>(&mut self, event: &'e Event) -> Result<Option<(&'e Pick, Answer)>, BirthError> {
        match event {
            Event::Born(born) => {
                let actor = self.born(born)?;
                self.actors.insert(born.instance, actor);
            }
            Event::Done(done) => {
                if let Some(actor) = self.actors.get_mut(&done.instance) {
                    actor.take_on(&done.stats);
                    actor.call(|instance| instance.done(done.backend, &done.outcome()));
                }
            }
            Event::Tick(tick) => {
                if let Some(actor) = self.actors.get_mut(&tick.instance) {
                    actor.take_on(&tick.stats);
                    actor.call(|instance| instance.tick(tick.now));
                }
            }
            Event::Pick(pick) => {
                let Some(actor) = self.actors.get_mut(&pick.instance) else { return Ok(None) };
                actor.take_on(&pick.stats);
                let ask: Ask = pick.ask.into();
                let mut facts = pick.request.facts(ask.body_length);
                if pick.answer == Answer::Explained {
                    actor.call(|instance| instance.explain(&ask, &mut facts).map(drop));
                    return Ok(None);
                }
                let Some(instance) = &mut actor.instance else {
                    return Ok(Some((pick, Answer::Fault("gone".into()))));
                };
                let answer = Answer::from(&instance.pick(&ask, &mut facts));
                if instance.is_spent() {
                    actor.instance = None;
                }
                return Ok(Some((pick, answer)));
            }
        }
        Ok(None)
    }

    fn born(&self, born: &Born) -> Result<Actor, BirthError> {
        let candidates = Arc::new(candidates(&self.recording.header.upstream, born));
        let heir = self.policy.name() == self.recording.header.policy;
        let state = born.state.as_deref().filter(|_| heir).and_then(decoded);
        let birth = Birth {
            options: self.options,
            candidates: Arc::clone(&candidates),
            seed: born.seed,
            state: state.as_deref(),
            limits: self.limits,
        };
        let instance = Some(self.policy.instantiate_at(birth, born.now)?);
        Ok(Actor { instance, candidates })
    }

    /// The name of the backend that was chosen.
    pub(super) fn name(&self, instance: usize, answer: &Answer) -> Option<String> {
        let Answer::Backend(index) = answer else { return None };
        let backend = self.actors.get(&instance)?.candidates.backends.get(*index as usize)?;
        Some(backend.name.to_string())
    }

    /// An answer in words.
    pub(super) fn told(&self, instance: usize, answer: &Answer) -> String {
        match answer {
            Answer::Backend(index) => match self.name(instance, answer) {
                Some(name) => format!("{name} (candidate {index})"),
                None => format!("candidate {index}, which does not exist"),
            },
            Answer::Abstain => "no opinion".into(),
            Answer::Reject(status) => format!("refusal with status {status}"),
            Answer::Fault(kind) => format!("a fault ({kind})"),
            Answer::Explained => "an explanation".into(),
        }
    }
}

impl Actor {
    fn take_on(&self, changes: &Changes) {
        if let Some(upstream) = changes.upstream {
            self.candidates.stats.take_on(upstream);
        }
        for (index, numbers) in &changes.backends {
            if let Some(counters) = self.candidates.counters.get(*index as usize) {
                counters.take_on(numbers);
            }
        }
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut Instance) -> Result<T, super::Fault>) {
        if self.instance.as_mut().is_some_and(|instance| call(instance).is_err()) {
            self.instance = None;
        }
    }
}

/// The candidates that an instance was born with.
fn candidates(upstream: &str, born: &Born) -> Candidates {
    let stats = UpstreamStats::default();
    stats.take_on(born.stats.upstream.unwrap_or_default());
    let mut places = Vec::new();
    let member = |(place, line): (u32, &MemberLine)| {
        let numbers = line.candidate.and_then(|index| born.stats.backends.get(index as usize));
        let counters =
            numbers.map_or_else(BackendStats::default, |(_, numbers)| BackendStats::of_numbers(numbers));
        places.extend(line.candidate.map(|_| place));
        Member { backend: Arc::new(backend(line, place as usize, counters)), candidate: line.candidate }
    };
    let members: Box<[Member]> = (0..).zip(&born.members).map(member).collect();
    let chosen = members.iter().filter(|member| member.candidate.is_some());
    let backends: Box<[Arc<Backend>]> = chosen.map(|member| Arc::clone(&member.backend)).collect();
    Candidates {
        upstream: upstream.into(),
        stats: Arc::new(stats),
        counters: backends.iter().map(|backend| Arc::clone(&backend.stats)).collect(),
        weights: backends.iter().map(|backend| backend.weight).collect(),
        backends,
        places: places.into(),
        members,
        panic: false,
        rising: false,
    }
}

fn backend(line: &MemberLine, slot: usize, stats: BackendStats) -> Backend {
    // Nobody connects to it; what was configured as an address can be read as one.
    let address =
        line.name.parse().unwrap_or_else(|_| crate::upstream::Address::Unix(line.name.clone().into()));
    Backend {
        weight: line.weight,
        zone: line.zone.as_deref().map(Into::into),
        labels: line.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        stats: Arc::new(stats),
        down: line.candidate.is_none(),
        ..Backend::new(&line.name, address, slot)
    }
}
