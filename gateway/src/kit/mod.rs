//! The kit: what `pointsman policy test` tries with a policy before it sees traffic.
//!
//! Everything goes through the real host: the policy is compiled, born and asked as in the gateway,
//! with its deadlines and its memory limit, real statistics and the real [`crate::policy::Picker`].
//! Only requests, backends and time are made up, from a seed, so that what was found can be found
//! again.
//!
//! | file | what it holds |
//! |---|---|
//! | `card` | the report: for people, and as JSON |
//! | `property` | the properties, one file each |
//! | `subject` | the policy under test: births, and how many picks it is worth |
//! | `fleet`, `request` | made-up backends and requests |
//! | `world` | made-up traffic: arrivals, attempts that end, retries |

mod card;
mod fleet;
mod property;
mod request;
mod subject;
mod world;

use std::sync::Arc;
use std::time::Instant;

pub use card::{Card, Check, Verdict};

use crate::policy::recording::Recording;
use crate::policy::{Engine, Limits, Policy};
use subject::Subject;

/// What is asked of a test.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The policy's options, a JSON object.
    pub options: String,
    /// Everything that is made up follows from it.
    pub seed: u64,
    /// What the policy may use.
    pub limits: Limits,
    /// Properties to try; all when empty.
    pub only: Vec<String>,
    /// Properties that the author knows the policy does not have: tried and told, but no failure.
    pub accepted: Vec<String>,
    /// Recorded picks that shall come out the same.
    pub recording: Option<Arc<Recording>>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            options: "{}".into(),
            seed: 1,
            limits: Limits::default(),
            only: Vec::new(),
            accepted: Vec::new(),
            recording: None,
        }
    }
}

/// Names of the properties, in the order in which they are tried.
#[must_use]
pub fn properties() -> Vec<&'static str> {
    property::ALL.iter().map(|property| property.name).collect()
}

/// Tries a policy: a component, a core module or WAT text. `name` appears in messages.
#[must_use]
pub fn examine(engine: &Engine, name: &str, bytes: &[u8], wishes: &Wishes) -> Card {
    let began = Instant::now();
    let mut card = Card::new(name, bytes, wishes);
    match Policy::load(engine, name, bytes) {
        Err(error) => card.push(Check::refused(&error.to_string())),
        Ok(policy) => {
            let subject = Subject::new(policy, wishes);
            for property in property::ALL {
                if wishes.only.is_empty() || wishes.only.iter().any(|name| name == property.name) {
                    card.push(property.examine(&subject, wishes));
                    if property.name == property::FIRST && !card.passed() {
                        break;
                    }
                }
            }
        }
    }
    card.took = began.elapsed();
    card
}
