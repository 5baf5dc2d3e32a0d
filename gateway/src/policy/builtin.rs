//! The policies that ship with the gateway: the same components as anybody's, embedded.

/// A policy of the gateway's own.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The component, as `cargo xtask policies` built it.
    pub bytes: &'static [u8],
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        /// All of them, in the order in which they are presented.
        pub const BUILTINS: &[Builtin] = &[
            $(Builtin { name: $name, bytes: include_bytes!(concat!("../../../policies/dist/", $name, ".wasm")) }),*
        ];
    };
}

builtins![
    "adaptive",
    "round_robin",
    "least_conn",
    "random",
    "p2c",
    "least_time",
    "peak_ewma",
    "fair",
    "ip_hash",
    "hash",
    "ketama",
    "maglev",
    "rendezvous",
    "weighted_report",
];

/// The one of this name.
#[must_use]
pub fn builtin(name: &str) -> Option<Builtin> {
    BUILTINS.iter().copied().find(|builtin| builtin.name == name)
}
