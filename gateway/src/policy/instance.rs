//! One instantiation of a policy: what a worker asks.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use super::bindings::exports::pointsman::policy::{explain, feedback, policy, state, timer};
use super::bindings::pointsman::policy::types;
use super::engine::ticks;
use super::fault::{BirthError, Fault};
use super::journal::Journal;
use super::limits::{LARGEST_STATE, LARGEST_U32, LARGEST_U64, Limits, Meter};
use super::view::{Lent, View, described, worded};
use super::{Facts, Policy};
use crate::stats::{Outcome, clock};
use crate::upstream::Candidates;

/// Handles to resources that one instance may hold. Only guests that drag WASI in have any.
const MOST_HANDLES: usize = 1_024;
/// Shortest and longest period of a timer, milliseconds (`timer.period` in the WIT).
const PERIODS: std::ops::RangeInclusive<u32> = 10..=3_600_000;

/// What an instance is born with, and keeps for life.
#[derive(Clone)]
pub struct Birth<'a> {
    /// The upstream's policy options, a JSON object; `{}` when there are none.
    pub options: &'a str,
    /// What it chooses from; at least one.
    pub candidates: Arc<Candidates>,
    /// Start of the guest's own random numbers; only the lower 53 bits are used.
    pub seed: u64,
    /// What the instance that leaves has saved. Ignored by policies that do not export `state`.
    pub state: Option<&'a [u8]>,
    /// What it may use.
    pub limits: Limits,
}

/// What a pick is told: the WIT's `types.request`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Hash of the upstream's `hash_key` expression; only the lower 53 bits are used. 0: none.
    pub key: u64,
    /// 0 for the first pick of a request, then one more for each.
    pub attempt: u32,
    /// Fresh random bits; only the lower 31 are used.
    pub random: u32,
    /// The gateway's clock, [`clock::now`].
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
    store: Store<View>,
    guest: Guest,
    /// Epochs for one call.
    budget: u64,
    period: Option<Duration>,
    spent: bool,
    policy: Arc<Policy>,
}

struct Guest {
    policy: policy::Guest,
    feedback: Option<feedback::Guest>,
    timer: Option<timer::Guest>,
    state: Option<state::Guest>,
    explain: Option<explain::Guest>,
}

impl Policy {
    /// Makes an instance: start functions, `init`, `timer.period` and, when there is a state to
    /// hand over, `restore`. Takes from 10 µs to some milliseconds, so not on a worker.
    ///
    /// # Errors
    /// [`BirthError::Refused`] when `init` says no, which is a mistake in the configuration;
    /// [`BirthError::Fault`] when the guest fails.
    pub fn instantiate(self: &Arc<Self>, birth: Birth<'_>) -> Result<Instance, BirthError> {
        let Birth { options, candidates, seed, state, limits } = birth;
        let mut store = self.store(candidates, seed, &limits);
        let guest = match Guest::load(self, &mut store) {
            Ok(guest) => guest,
            Err(error) => return Err(BirthError::Fault(fault(&store, &error))),
        };
        let (budget, policy) = (ticks(limits.pick), Arc::clone(self));
        let mut instance = Instance { store, guest, budget, period: None, spent: false, policy };
        instance.initialise(options, seed)?;
        instance.restore(state)?;
        instance.store.data_mut().being_born = false;
        Ok(instance)
    }

    fn store(&self, candidates: Arc<Candidates>, seed: u64, limits: &Limits) -> Store<View> {
        let upstream = Arc::clone(&candidates.upstream);
        let view = View {
            candidates,
            facts: Facts::default(),
            lent: false,
            being_born: true,
            now: clock::now(),
            meter: Meter::new(limits.memory),
            journal: Journal::new(self.shared_name(), upstream),
            dice: seed,
            numbers: Lent::default(),
            bytes: Lent::default(),
            text: Lent::default(),
        };
        let mut store = Store::new(self.engine.wasmtime(), view);
        store.limiter(|view| &mut view.meter);
        store.set_hostcall_fuel(LARGEST_STATE);
        store.set_max_component_handles(MOST_HANDLES);
        store.epoch_deadline_trap();
        store.set_epoch_deadline(ticks(limits.init));
        store
    }
}

impl Guest {
    fn load(policy: &Policy, store: &mut Store<View>) -> wasmtime::Result<Self> {
        let (pre, exports) = (&policy.compiled.pre, &policy.compiled.exports);
        let instance = pre.instantiate(&mut *store)?;
        Ok(Self {
            policy: exports.policy.load(&mut *store, &instance)?,
            feedback: exports.feedback.as_ref().map(|e| e.load(&mut *store, &instance)).transpose()?,
            timer: exports.timer.as_ref().map(|e| e.load(&mut *store, &instance)).transpose()?,
            state: exports.state.as_ref().map(|e| e.load(&mut *store, &instance)).transpose()?,
            explain: exports.explain.as_ref().map(|e| e.load(&mut *store, &instance)).transpose()?,
        })
    }
}

impl Instance {
    fn initialise(&mut self, options: &str, seed: u64) -> Result<(), BirthError> {
        let backends: Vec<_> = self.candidates().backends.iter().map(|backend| described(backend)).collect();
        let answer = self.guest.policy.call_init(&mut self.store, options, &backends, seed & LARGEST_U64);
        self.checked(answer).map_err(BirthError::Fault)?.map_err(BirthError::Refused)?;
        if let Some(timer) = &self.guest.timer {
            let answer = timer.call_period(&mut self.store);
            let millis = self.checked(answer).map_err(BirthError::Fault)?;
            let within = millis.clamp(*PERIODS.start(), *PERIODS.end());
            self.period = (millis != 0).then(|| Duration::from_millis(within.into()));
        }
        Ok(())
    }

    fn restore(&mut self, saved: Option<&[u8]>) -> Result<(), BirthError> {
        let (Some(state), Some(saved)) = (&self.guest.state, saved) else { return Ok(()) };
        let answer = state.call_restore(&mut self.store, saved);
        self.checked(answer).map_err(BirthError::Fault)
    }

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
        self.lend(facts);
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
        self.lend(facts);
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
    /// Any [`Fault`], also for more than [`LARGEST_STATE`] bytes; the instance is then spent.
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
        view.meter.begin();
        Ok(())
    }

    fn lend(&mut self, facts: &mut Facts) {
        if self.policy.wants_request_info() {
            let view = self.store.data_mut();
            mem::swap(&mut view.facts, facts);
            view.lent = true;
        }
    }

    fn take_back(&mut self, facts: &mut Facts) {
        if self.policy.wants_request_info() {
            let view = self.store.data_mut();
            mem::swap(&mut view.facts, facts);
            view.lent = false;
        }
    }

    /// After each call: a failed instance is never asked again, because wasmtime itself will not
    /// enter a store in which something has trapped.
    fn checked<T>(&mut self, answer: wasmtime::Result<T>) -> Result<T, Fault> {
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

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("policy", &self.policy)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

fn fault(store: &Store<View>, error: &wasmtime::Error) -> Fault {
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
