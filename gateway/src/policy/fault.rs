//! What can go wrong inside a policy, and how it is told.

use std::fmt;

use wasmtime::{Trap, WasmBacktrace};

/// Kinds of faults, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The guest trapped, or broke the rules of the component model.
    Trap,
    /// A call took longer than its budget.
    Deadline,
    /// A call failed after more memory was refused.
    Memory,
    /// A pick named a candidate that does not exist.
    BadIndex,
    /// A pick refused the request with a status outside 400 to 599.
    BadStatus,
    /// `init` refused, where the same configuration had been accepted before.
    Init,
    /// The instance had failed before and was asked again.
    Gone,
}

impl FaultKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Trap, Self::Deadline, Self::Memory, Self::BadIndex, Self::BadStatus, Self::Init, Self::Gone];

    /// Its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::BadIndex => "bad_index",
            Self::BadStatus => "bad_status",
            Self::Init => "init",
            Self::Gone => "gone",
        }
    }
}

/// A policy broke its contract. The instance is spent: drop it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The guest trapped; the text says why and in which function.
    #[error("the policy trapped: {0}")]
    Trap(String),
    /// The call's budget of wall clock ran out.
    #[error("the policy missed its deadline")]
    Deadline,
    /// The guest failed after it had been refused more memory.
    #[error("the policy needs more memory than it is allowed")]
    Memory,
    /// This index is not that of a candidate.
    #[error("the policy chose backend {0}, which does not exist")]
    BadIndex(u32),
    /// This status is not between 400 and 599.
    #[error("the policy rejected with status {0}, which is not between 400 and 599")]
    BadStatus(u16),
    /// The instance had failed before. Asking it again is a mistake of the caller.
    #[error("the instance has failed before and is not asked again")]
    Gone,
}

impl Fault {
    /// Its kind, for metrics.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Trap(_) => FaultKind::Trap,
            Self::Deadline => FaultKind::Deadline,
            Self::Memory => FaultKind::Memory,
            Self::BadIndex(_) => FaultKind::BadIndex,
            Self::BadStatus(_) => FaultKind::BadStatus,
            Self::Gone => FaultKind::Gone,
        }
    }

    /// Reads what wasmtime reports. `starved`: was memory refused during the call?
    pub(super) fn from_wasmtime(error: &wasmtime::Error, starved: bool) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Deadline,
            _ if starved => Self::Memory,
            _ => Self::Trap(Cause(error).to_string()),
        }
    }
}

/// The root of an error and the guest's function that it happened in, on one line.
struct Cause<'a>(&'a wasmtime::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.0.root_cause().to_string();
        match unknown_import(&root) {
            Some(import) => write!(f, "it called {import}, which policies do not get")?,
            None => f.write_str(root.strip_prefix("wasm trap: ").unwrap_or(&root))?,
        }
        let frames = self.0.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames);
        let named = frames.and_then(|frames| frames.iter().find_map(|frame| frame.func_name()));
        named.map_or(Ok(()), |name| write!(f, " in `{name}`"))
    }
}

/// The name in wasmtime's words for an import that was stubbed out.
fn unknown_import(root: &str) -> Option<&str> {
    root.strip_prefix("unknown import: ")?.strip_suffix(" has not been defined")
}

/// Why an instance was not born.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BirthError {
    /// `init` refused the options or the candidates; the guest's own words.
    #[error("the policy refuses its options: {0}")]
    Refused(String),
    /// The guest failed while it was being born.
    #[error("{0}, while it was being initialised")]
    Fault(Fault),
}

impl BirthError {
    /// Its kind, for metrics.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Refused(_) => FaultKind::Init,
            Self::Fault(fault) => fault.kind(),
        }
    }
}
