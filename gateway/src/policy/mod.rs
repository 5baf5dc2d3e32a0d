//! Policies: WebAssembly components that choose a backend. The only room that knows wasmtime.
//!
//! | file | what it holds |
//! |---|---|
//! | `engine` | the one [`Engine`]: compiler settings, epochs, what is compiled already |
//! | `source`, `text`, `package` | from a file (component, core module, WAT text) to a component; the WIT |
//! | `component`, `error` | a compiled [`Policy`], or why a file is none |
//! | `birth`, `instance`, `limits`, `deadline`, `fault` | an [`Instance`], what it may use, what can go wrong |
//! | `imports`, `view`, `journal`, `facts` | what a policy may ask, and may say |
//! | `wasi` | what stands where toolchains expect an operating system |
//! | `fallback` | the gateway's own choice |
//! | `roster`, `tally` | which version serves an upstream, and how it does |
//! | `trial` | trying a policy before it serves |
//! | `beside`, `shadow`, `canary` | who stands beside the policy that serves: asked and not obeyed; deciding for a share |
//! | `recording` | writing down what an instance was asked, and asking it again |

mod beside;
mod bindings;
mod birth;
mod builtin;
mod canary;
mod component;
mod deadline;
mod engine;
mod error;
mod facts;
mod fallback;
mod fault;
#[cfg(test)]
mod guests;
mod imports;
mod instance;
mod journal;
mod limits;
mod package;
mod picker;
pub mod recording;
mod roster;
mod shadow;
mod source;
mod tally;
mod text;
mod trial;
mod view;
mod wasi;

pub use beside::Beside;
pub use birth::Birth;
pub use builtin::{BUILTINS, Builtin, builtin};
pub use canary::{ArmTotals, Canary, CanaryBook, CanaryRules, CanarySnapshot, CanaryState};
pub use component::Policy;
pub use engine::{Engine, usual_cache};
pub use error::LoadError;
pub use facts::{Facts, Host};
pub use fallback::Fallback;
pub use fault::{BirthError, Fault, FaultKind};
pub use instance::{Ask, Choice, Instance};
pub use limits::{LARGEST_STATE, Limits};
pub use package::{WIT, WIT_VERSION};
pub use picker::{Decision, Ended, Picker, Sink};
pub use roster::{Roster, Rules, Snapshot, Verdict};
pub use shadow::{Shadow, ShadowBook, ShadowTotals};
pub use source::to_component;
pub use tally::{Count, Tally, Totals};
pub use trial::{Report, TrialError, try_out};
