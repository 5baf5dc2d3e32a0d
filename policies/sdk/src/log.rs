//! The gateway's log. A message is cut at 1 KiB; beyond ten a second they are only counted.

#[cfg(target_arch = "wasm32")]
use crate::bindings::pointsman::policy::log::{Level, write};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::{Level, write};

/// Of interest to who wrote the policy.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Of interest to the operator now and then.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something the operator might want to change.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something is wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}
