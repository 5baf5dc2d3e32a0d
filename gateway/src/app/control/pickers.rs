//! Pickers for the workers: new ones for a generation, for a policy that failed, for other
//! candidates.

use std::collections::HashMap;
use std::sync::Arc;

use super::Control;
use crate::app::build::Making;
use crate::app::crew::Crew;
use crate::app::settings::random_seed;
use crate::policy::recording::Recorders;
use crate::policy::{Instance, Picker, Sink};
use crate::stats::clock;

impl Control {
    /// What the policies in force hand over: for each worker, by name of the upstream.
    pub(in crate::app) fn saved(&self, upstreams: &[Arc<str>]) -> Vec<HashMap<Arc<str>, Vec<u8>>> {
        let saved = self.crew.as_ref().map(Crew::save).unwrap_or_default();
        let by_name = |states: Vec<Option<Vec<u8>>>| {
            upstreams.iter().cloned().zip(states).filter_map(|(name, state)| Some((name, state?))).collect()
        };
        saved.into_iter().map(by_name).collect()
    }

    /// A picker of whatever version the roster lets serve now.
    pub(in crate::app) fn picker(&mut self, upstream: usize, worker: usize, state: Option<&[u8]>) -> Picker {
        self.ages += 1;
        let making = &self.makings[upstream];
        // Nobody is asked to choose from nothing.
        let anybody = !making.candidates.backends.is_empty();
        let instance = if anybody { self.instance(making, state) } else { None };
        let (candidates, roster) = (Arc::clone(&making.candidates), Arc::clone(&making.roster));
        let picker = Picker::new(candidates, instance, roster, worker, self.ages, self.sink());
        if anybody { picker.with(making.beside(worker, None, random_seed)) } else { picker }
    }

    /// Gives all workers other pickers for an upstream, by index, which take over what the policies
    /// hand over; with `recorders` pickers that are recorded.
    pub(in crate::app) fn renew_pickers(&mut self, upstream: usize, recorders: Option<&Recorders>) {
        let saved = self.crew.as_ref().map(|crew| crew.save_one(upstream)).unwrap_or_default();
        for (worker, state) in saved.into_iter().enumerate() {
            let recorded = recorders
                .and_then(|recorders| self.recorded_picker(upstream, worker, state.as_deref(), recorders));
            let picker = recorded.unwrap_or_else(|| self.picker(upstream, worker, state.as_deref()));
            if let Some(crew) = &self.crew {
                crew.replace(worker, self.generation.number, upstream, picker);
            }
        }
    }

    /// A picker whose instance is recorded; none when there is no instance.
    pub(in crate::app) fn recorded_picker(
        &mut self,
        upstream: usize,
        worker: usize,
        state: Option<&[u8]>,
        recorders: &Recorders,
    ) -> Option<Picker> {
        self.ages += 1;
        let making = &self.makings[upstream];
        let policy = making.roster.serving()?;
        let birth = making.birth(random_seed(), state);
        let (instance, recorder) = recorders.born(&policy, &birth, worker, clock::now()).ok()?;
        let (candidates, roster) = (Arc::clone(&making.candidates), Arc::clone(&making.roster));
        let picker = Picker::new(candidates, Some(instance), roster, worker, self.ages, self.sink());
        Some(picker.with(making.beside(worker, Some(recorder), random_seed)))
    }

    pub(in crate::app) fn instance(&self, making: &Making, state: Option<&[u8]>) -> Option<Instance> {
        // A version that fails at birth is asked again until the roster has had enough of it.
        for _ in 0..=making.rules.max_faults {
            let policy = making.roster.serving()?;
            let seed = random_seed();
            match making.instance(&policy, seed, state) {
                Ok(instance) => {
                    tracing::debug!(
                        "upstream {}: an instance of {} {} with seed {seed}",
                        making.upstream,
                        policy.name(),
                        policy.version()
                    );
                    return Some(instance);
                }
                Err(error) => {
                    tracing::error!(
                        "upstream {}: policy {} {}: {error}",
                        making.upstream,
                        policy.name(),
                        policy.version()
                    );
                    making.roster.fault(&policy, error.kind(), &error.to_string(), clock::now());
                }
            }
        }
        None
    }

    pub(in crate::app) fn sink(&self) -> Sink {
        let faults = self.faults.clone();
        // The channel is unbounded; when nobody listens any more the gateway is ending.
        Arc::new(move |ended| drop(faults.send(ended)))
    }

    /// Gives a worker another picker for an upstream.
    pub(in crate::app) fn replace(&mut self, upstream: &str, worker: usize) {
        let Some(index) = self.makings.iter().position(|making| &*making.upstream == upstream) else {
            return;
        };
        let picker = self.picker(index, worker, None);
        if let Some(crew) = &self.crew {
            crew.replace(worker, self.generation.number, index, picker);
        }
    }
}
