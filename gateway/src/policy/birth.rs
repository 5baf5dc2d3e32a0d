//! How an instance comes into the world.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use super::bindings::exports::pointsman::policy::{explain, feedback, policy, state, timer};
use super::deadline;
use super::engine::ticks;
use super::fault::BirthError;
use super::instance::fault;
use super::journal::Journal;
use super::limits::{LARGEST_STATE, LARGEST_U64, Limits, Meter};
use super::view::{Lent, View, described};
use super::{Facts, Instance, Policy};
use crate::stats::clock;
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

/// The exports of an instance, looked up and checked.
pub(super) struct Guest {
    pub(super) policy: policy::Guest,
    pub(super) feedback: Option<feedback::Guest>,
    pub(super) timer: Option<timer::Guest>,
    pub(super) state: Option<state::Guest>,
    pub(super) explain: Option<explain::Guest>,
}

impl Policy {
    /// Makes an instance: start functions, `init`, `timer.period` and, when there is a state to
    /// hand over, `restore`. Takes from 10 µs to some milliseconds, so not on a worker.
    ///
    /// # Errors
    /// [`BirthError::Refused`] when `init` says no, which is a mistake in the configuration;
    /// [`BirthError::Fault`] when the guest fails.
    pub fn instantiate(self: &Arc<Self>, birth: Birth<'_>) -> Result<Instance, BirthError> {
        self.instantiate_at(birth, clock::now())
    }

    /// The same at a time that the caller names, where time is made up.
    ///
    /// # Errors
    /// As [`Policy::instantiate`].
    pub fn instantiate_at(self: &Arc<Self>, birth: Birth<'_>, now: u64) -> Result<Instance, BirthError> {
        let Birth { options, candidates, seed, state, limits } = birth;
        let mut store = self.store(candidates, seed, &limits, now);
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

    fn store(&self, candidates: Arc<Candidates>, seed: u64, limits: &Limits, now: u64) -> Store<View> {
        let upstream = Arc::clone(&candidates.upstream);
        let view = View {
            candidates,
            facts: Facts::default(),
            lent: false,
            being_born: true,
            now,
            meter: Meter::new(limits.memory),
            overtime: None,
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
        deadline::watch_over(&mut store, limits.pick);
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
        let candidates = self.candidates();
        let weighted = candidates.backends.iter().zip(&candidates.weights);
        let backends: Vec<_> = weighted.map(|(backend, weight)| described(backend, *weight)).collect();
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
}
