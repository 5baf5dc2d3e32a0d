//! Write a Pointsman policy in Rust: the idea, plus ten lines.
//!
//! A policy is a type that implements [`Policy`], handed to [`export!`]. It is built for
//! `wasm32-unknown-unknown`, where `wasm-component-ld` links it into a component:
//!
//! ```
//! use pointsman_policy::{Backend, Choice, NoOptions, Policy, Request, export};
//!
//! /// Always the first candidate, whatever happens.
//! struct First;
//!
//! impl Policy for First {
//!     type Options = NoOptions;
//!
//!     fn new(_: NoOptions, _: Vec<Backend>, _seed: u64) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     fn pick(&mut self, _: &Request) -> Choice {
//!         Choice::Backend(0)
//!     }
//! }
//!
//! export!(First);
//! ```
//!
//! What a policy may ask of the gateway stands in [`stats`], [`request`], [`upstream`] and
//! [`log`]; a component imports only what it calls. Outside Wasm the same functions are answered
//! by the stand-in in [`testing`], so a policy is tested by plain `cargo test`.

#[doc(hidden)]
#[allow(missing_docs, unsafe_code, reason = "generated: the canonical ABI is raw memory")]
pub mod bindings;
#[doc(hidden)]
pub mod glue;

mod bound;
mod crc;
mod known;
mod line;
pub mod log;
mod options;
mod policy;
mod random;
pub mod request;
mod ring;
mod slots;
mod smooth;
pub mod stats;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod upstream;

pub use bindings::pointsman::policy::types::{Backend, Choice, Outcome, Request, Verdict};
pub use bound::Bound;
pub use crc::{CRC32_START, crc32, crc32_update};
pub use known::Known;
pub use line::Line;
pub use options::{NoOptions, Span};
pub use policy::{Explain, Feedback, Policy, State, Timer};
pub use random::Random;
pub use ring::Ring;
pub use slots::Slots;
pub use smooth::Smooth;

/// The guide's policy compiles, or `cargo test` says where it does not.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/policies.md")]
struct Guide;
