//! Write a Pointsman policy in Rust.
