//! One instantiation of a policy: what a worker asks.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, mem};

use wasmtime::Store;

use super::bindings::pointsman::policy::types;
use super::birth::Guest;
use super::limits::{LARGEST_U32, LARGEST_U64};
use super::view::{View, worded};
use super::{Facts, Fault, Policy};
use crate::stats::Outcome;
use crate::upstream::Candidates;

/// What a pick is told: the WIT's `types.request`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Hash of the upstream's `hash_key` expression; only the lower 53 bits are used. 0: none.
    pub key: u64,
    /// 0 for the first pick of a request, then one more for each.
    pub attempt: u32,
    /// Fresh random bits; only the lower 31 are used.
    pub random: u32,
    /// The gateway's clock, [`crate::stats::clock::now`].
    pub now: u64,
    /// Declared length of the request's body, bytes.
    pub body_length: Option<u64>,
}

/// A checked answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The candidate with this index, which exists.
    Backend(u32),
    /// No opinion: the fallback decides.
    Abstain,
    /// Refuse the request with this status, 400 to 599.
    Reject(u16),
}

/// An instance of a policy. Born on any thread, then used by one worker. After a fault it is
/// spent: every further call is [`Fault::Gone`], and it should be dropped.
pub struct Instance {
    pub(super) store: Store<View>,
    pub(super) guest: Guest,
    /// Epochs for one call.
    pub(super) budget: u64,
    pub(super) period: Option<Duration>,
    pub(super) spent: bool,
    pub(super) policy: Arc<Policy>,
}

impl Instance {
    /// The policy it is an instance of.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What it chooses from.
    #[must_use]
    pub fn candidates(&self) -> &Arc<Candidates> {
        &self.store.data().candidates
    }

    /// Bytes of linear memory that it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.store.data().meter.held()
    }

    /// The time of its last call.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.store.data().now
    }

    /// Has it failed? Then it answers nothing any more.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// Chooses a backend. `facts` is lent to the guest if it asks about requests, and is back in
    /// its place afterwards, whatever happens.
    ///
    /// # Errors
    /// Any [`Fault`]; the instance is then spent.
    pub fn pick(&mut self, ask: &Ask, facts: &mut Facts) -> Result<Choice, Fault> {
        self.begin(ask.now)?;
        self.lend(ask.attempt, facts);
        let answer = self.guest.policy.call_pick(&mut self.store, request(ask));
        self.take_back(facts);
        let choice = self.checked(answer)?;
        self.judged(choice)
    }

    /// Explains the pick before, in a line for people; none if the policy cannot.
    ///
    /// # Errors
    /// Any [`Fault`]; the instance is then spent.
    pub fn explain(&mut self, ask: &Ask, facts: &mut Facts) -> Result<Option<String>, Fault> {
        if self.guest.explain.is_none() {
            return Ok(None);
        }
        self.begin(ask.now)?;
        self.lend(ask.attempt, facts);
        let explain = self.guest.explain.as_ref();
        let answer = explain.map(|explain| explain.call_explain(&mut self.store, request(ask))).transpose();
        self.take_back(facts);
        self.checked(answer)
    }

    /// Tells how an attempt ended at the candidate with this index. Nothing happens if the policy
    /// does not listen.
    ///
    /// # Errors
    /// Any [`Fault`]; the instance is then spent.
    pub fn done(&mut self, backend: u32, outcome: &Outcome) -> Result<(), Fault> {
        if !self.wants_feedback() {
            return Ok(());
        }
        self.begin(outcome.now)?;
        let told = types::Outcome {
            backend: backend.min(LARGEST_U32),
            verdict: worded(outcome.verdict),
            status: outcome.status,
            connect: outcome.connect.min(LARGEST_U32),
            first_byte: outcome.first_byte.min(LARGEST_U32),
            total: outcome.total.min(LARGEST_U32),
            now: outcome.now.min(LARGEST_U64),
        };
        let feedback = self.guest.feedback.as_ref();
        let answer = feedback.map_or(Ok(()), |feedback| feedback.call_done(&mut self.store, told));
        self.checked(answer)
    }

    /// Does the policy listen to how attempts end?
    #[must_use]
    pub fn wants_feedback(&self) -> bool {
        self.guest.feedback.is_some()
    }

    /// How often [`Instance::tick`] should be called; none: never.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        self.period
    }

    /// Lets time pass for a policy with a timer.
    ///
    /// # Errors
    /// Any [`Fault`]; the instance is then spent.
    pub fn tick(&mut self, now: u64) -> Result<(), Fault> {
        if self.guest.timer.is_none() {
            return Ok(());
        }
        self.begin(now)?;
        let timer = self.guest.timer.as_ref();
        let answer = timer.map_or(Ok(()), |timer| timer.call_tick(&mut self.store, now.min(LARGEST_U64)));
        self.checked(answer)
    }

    /// What the policy has learnt, for the instance that replaces it; none if it keeps nothing.
    ///
    /// # Errors
    /// Any [`Fault`], also for more than [`super::LARGEST_STATE`] bytes; the instance is then spent.
    pub fn save(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        if self.guest.state.is_none() {
            return Ok(None);
        }
        let now = self.store.data().now;
        self.begin(now)?;
        let state = self.guest.state.as_ref();
        let answer = state.map(|state| state.call_save(&mut self.store)).transpose();
        self.checked(answer)
    }

    /// Before each call: no call after a fault, a fresh deadline, the time of the call.
    fn begin(&mut self, now: u64) -> Result<(), Fault> {
        if self.spent {
            return Err(Fault::Gone);
        }
        self.store.set_epoch_deadline(self.budget);
        let view = self.store.data_mut();
        view.now = now;
        view.overtime = None;
        view.meter.begin();
        Ok(())
    }

    fn lend(&mut self, attempt: u32, facts: &mut Facts) {
        if self.policy.wants_facts(attempt) {
            let view = self.store.data_mut();
            mem::swap(&mut view.facts, facts);
            view.lent = true;
        }
    }

    fn take_back(&mut self, facts: &mut Facts) {
        let view = self.store.data_mut();
        if view.lent {
            mem::swap(&mut view.facts, facts);
            view.lent = false;
        }
    }

    /// After each call: a failed instance is never asked again, because wasmtime itself will not
    /// enter a store in which something has trapped.
    pub(super) fn checked<T>(&mut self, answer: wasmtime::Result<T>) -> Result<T, Fault> {
        answer.map_err(|error| {
            self.spent = true;
            fault(&self.store, &error)
        })
    }

    fn judged(&mut self, choice: types::Choice) -> Result<Choice, Fault> {
        let fault = match choice {
            types::Choice::Backend(index) if (index as usize) < self.candidates().backends.len() => {
                return Ok(Choice::Backend(index));
            }
            types::Choice::Abstain => return Ok(Choice::Abstain),
            types::Choice::Reject(status) if (400..=599).contains(&status) => {
                return Ok(Choice::Reject(status));
            }
            types::Choice::Backend(index) => Fault::BadIndex(index),
            types::Choice::Reject(status) => Fault::BadStatus(status),
        };
        self.spent = true;
        Err(fault)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("policy", &self.policy)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

pub(super) fn fault(store: &Store<View>, error: &wasmtime::Error) -> Fault {
    Fault::from_wasmtime(error, store.data().meter.refused())
}

fn request(ask: &Ask) -> types::Request {
    types::Request {
        key: ask.key & LARGEST_U64,
        attempt: ask.attempt.min(LARGEST_U32),
        random: ask.random & LARGEST_U32,
        now: ask.now.min(LARGEST_U64),
        body_length: ask.body_length.map(|length| length.min(LARGEST_U64)),
    }
}

#[cfg(test)]
mod tests;
