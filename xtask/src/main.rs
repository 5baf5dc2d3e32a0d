//! The project's chores. `cargo xtask policies` rebuilds what is embedded, `cargo xtask bench`
//! measures the gateway beside other proxies.

fn main() {}
