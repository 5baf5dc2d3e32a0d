//! Policies: WebAssembly components that choose a backend. The only room that knows wasmtime.

mod facts;

pub use facts::Facts;
