//! Why a recorded pick came out as it did.

use std::sync::Arc;

use serde::Serialize;

use super::replay::Stage;
use super::{Answer, Inquiry, Pick, Recording};
use crate::policy::{Ask, Choice, Limits, Policy};

/// The longest list of candidates in order that is made.
const MOST_RANKED: usize = 100;

/// One pick, with everything that it depended on.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Explanation {
    /// Name of the upstream.
    pub upstream: String,
    /// Name of the policy.
    pub policy: String,
    /// Its version.
    pub version: String,
    /// What was answered.
    pub choice: String,
    /// The policy's own words, if it explains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What was asked.
    pub ask: super::AskLine,
    /// The request that was picked for.
    pub request: Inquiry,
    /// All candidates, those that the policy would have tried one after the other first.
    pub candidates: Vec<Ranked>,
}

/// A candidate, and what the policy could read of it.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Ranked {
    /// Place in the order in which the policy would have tried them, from 1; none when it did not
    /// get that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its weight.
    pub weight: u32,
    /// Attempts in flight.
    pub in_flight: u32,
    /// Mean response time, microseconds.
    pub latency_us: u32,
    /// Mean age of what is in flight, microseconds.
    pub age_us: u32,
    /// Share of failures, parts per million.
    pub failures_ppm: u32,
}

impl Recording {
    /// Explains the pick of this number (from 0) by making all picks before it again.
    ///
    /// # Errors
    /// There is no such pick, the policy cannot be born, or it does not answer as recorded.
    pub fn explain(&self, policy: &Arc<Policy>, number: usize) -> Result<Explanation, String> {
        let (header, mut left) = (&self.header, number);
        let mut stage = Stage::new(self, policy, &header.options, Limits::default());
        for event in &self.events {
            let Some((pick, answer)) = stage.play(event).map_err(|error| error.to_string())? else {
                continue;
            };
            if left > 0 {
                left -= 1;
                continue;
            }
            if answer != pick.answer {
                return Err(format!(
                    "the policy answers pick {number} with {} instead of {}: it is not the version that was recorded ({} {})",
                    stage.told(pick.instance, &answer),
                    stage.told(pick.instance, &pick.answer),
                    header.policy,
                    header.version,
                ));
            }
            return Ok(self.explained(&mut stage, pick));
        }
        Err(format!("the recording has {} picks, there is none of number {number}", self.picks().count()))
    }

    fn explained(&self, stage: &mut Stage<'_>, pick: &Pick) -> Explanation {
        let choice = stage.told(pick.instance, &pick.answer);
        let (words, order) = ranking(stage, pick);
        let candidates = stage.actors.get(&pick.instance).map(|actor| Arc::clone(&actor.candidates));
        let (now, mut list) = (pick.ask.now(), Vec::new());
        if let Some(candidates) = candidates {
            let counters = candidates.backends.iter().zip(&candidates.counters);
            for (index, (backend, counters)) in (0..).zip(counters) {
                list.push(Ranked {
                    rank: order.iter().position(|ranked| *ranked == index).map(|place| place + 1),
                    name: backend.name.to_string(),
                    index,
                    weight: backend.weight,
                    in_flight: counters.in_flight(),
                    latency_us: counters.latency(&candidates.stats, now),
                    age_us: counters.age(now),
                    failures_ppm: counters.failures(now),
                });
            }
        }
        list.sort_by_key(|ranked| (ranked.rank.unwrap_or(usize::MAX), ranked.index));
        let Recording { header, .. } = self;
        Explanation {
            upstream: header.upstream.clone(),
            policy: header.policy.clone(),
            version: header.version.clone(),
            choice,
            words,
            ask: pick.ask,
            request: pick.request.clone(),
            candidates: list,
        }
    }
}

/// The policy's words on the pick that it has just made, and the candidates in the order in which
/// it would try them if one after the other failed.
fn ranking(stage: &mut Stage<'_>, pick: &Pick) -> (Option<String>, Vec<u32>) {
    let mut order: Vec<u32> = Vec::new();
    let Some(actor) = stage.actors.get_mut(&pick.instance) else { return (None, order) };
    let Some(instance) = &mut actor.instance else { return (None, order) };
    let mut ask: Ask = pick.ask.into();
    let mut facts = pick.request.facts(ask.body_length);
    let words = instance.explain(&ask, &mut facts).ok().flatten();
    if let Answer::Backend(first) = pick.answer {
        order.push(first);
        facts.tried.push(first);
        // A policy may name one again; each gets three chances, as from the gateway.
        for _ in 0..3 * MOST_RANKED.min(actor.candidates.backends.len()) {
            if order.len() == actor.candidates.backends.len() {
                break;
            }
            ask.attempt += 1;
            match instance.pick(&ask, &mut facts) {
                Ok(Choice::Backend(index)) if !facts.tried.contains(&index) => {
                    order.push(index);
                    facts.tried.push(index);
                }
                Ok(Choice::Backend(_)) => {}
                _ => break,
            }
        }
    }
    (words, order)
}
