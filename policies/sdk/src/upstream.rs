//! The upstream as configured, for policies whose mapping must stay where it is while a backend
//! is unfit for a time. Valid while an instance is born; elsewhere empty.

#[cfg(target_arch = "wasm32")]
use crate::bindings::pointsman::policy::upstream as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::upstream as host;

pub use crate::bindings::pointsman::policy::upstream::Member;

/// The upstream's name.
#[must_use]
pub fn name() -> String {
    host::name()
}

/// All backends of the tier in the order of the configuration, fit or not.
#[must_use]
pub fn members() -> Vec<Member> {
    host::members()
}
