//! Pointsman: an HTTP gateway in which every choice of a backend is made by a sandboxed
//! WebAssembly component, the *policy*.
//!
//! This crate is a map. A request walks it from top to bottom, and imports point the same way:
//!
//! | room | what it does | what it must not know |
//! |---|---|---|
//! | [`stats`] | counters, moving averages, the in-flight guard | anything but numbers and time |

#![forbid(unsafe_code)]

pub mod admin;
pub mod observe;
pub mod policy;
pub mod stats;
pub mod template;
pub mod upstream;
