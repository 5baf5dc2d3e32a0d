//! What a policy is. The rules of the game stand in `wit/policy.wit`.

use serde::de::DeserializeOwned;

use crate::{Backend, Choice, Outcome, Request};

/// One instance of a policy: born with its candidates, asked for each attempt of each request.
pub trait Policy: Sized {
    /// The options under `policy` in the configuration of the upstream. Derive
    /// `serde::Deserialize` and write `#[serde(default, deny_unknown_fields)]`: a key that was
    /// misspelt then is an error that the operator sees, and every option may be left out.
    type Options: DeserializeOwned;

    /// Is born. `backends` are the candidates, at least one; their order gives them their
    /// numbers. `seed` differs in each instance. Tables are built here, not in `pick`.
    ///
    /// # Errors
    /// What is wrong with the options, for the operator: which key, why, and what would do.
    fn new(options: Self::Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String>;

    /// Chooses a candidate for one attempt.
    fn pick(&mut self, request: &Request) -> Choice;
}

/// Learns how attempts ended: `export!(MyPolicy, feedback)`. Costs about as much as a pick.
pub trait Feedback: Policy {
    /// Called at the end of each attempt made by this instance's worker.
    fn done(&mut self, outcome: &Outcome);
}

/// Is called now and then: `export!(MyPolicy, timer)`.
pub trait Timer: Policy {
    /// Milliseconds between ticks, 10 to 3,600,000; asked once. 0: never.
    fn period(&self) -> u32;

    /// Called about every `period`, between picks. `now` as in [`Request`].
    fn tick(&mut self, now: u64);
}

/// Hands over what was learnt when a new instance takes the place: `export!(MyPolicy, state)`.
pub trait State: Policy {
    /// Called on the instance that leaves. At most 1 MiB.
    fn save(&mut self) -> Vec<u8>;

    /// Called on the instance that comes, before its first pick. The bytes may come from another
    /// version of the policy or from other candidates: ignore what does not fit.
    fn restore(&mut self, state: Vec<u8>);
}

/// Says why: `export!(MyPolicy, explain)`.
pub trait Explain: Policy {
    /// One line about the pick just made for this request, for a person.
    fn explain(&mut self, request: &Request) -> String;
}
