//! The WIT package in Rust, as generated: types for both sides, callers for every export. Written
//! by the macro and never by hand; a change in `wit/` that the host does not follow fails to build.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "everything",
});
