//! What an instance may use.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Largest `u32` a guest is ever handed: interpreters that read integers as signed stay right.
pub(super) const LARGEST_U32: u32 = (1 << 31) - 1;
/// Largest `u64` a guest is ever handed: a JavaScript double holds it exactly.
pub(super) const LARGEST_U64: u64 = (1 << 53) - 1;
/// Most bytes a guest may hand to the gateway in one go, and so the largest saved state.
pub const LARGEST_STATE: usize = 1 << 20;

/// Elements in one table. QuickJS, StarlingMonkey and CPython need up to 7,700.
const TABLE_ELEMENTS: usize = 100_000;
/// Core instances, tables and memories of one instance; CPython's component comes nearest.
const CORE_INSTANCES: usize = 256;
const TABLES: usize = 64;
const MEMORIES: usize = 32;

/// Budgets of one instance of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall clock for one call other than `init` (`pick`, `done`, `tick`, `save`, `explain`).
    pub pick: Duration,
    /// Wall clock for birth: start functions, `init` and `restore` together.
    pub init: Duration,
    /// Bytes of linear memory, all memories of the component together.
    pub memory: usize,
}

impl Default for Limits {
    /// 10 ms for a call, 1 s for birth, 64 MiB: an interpreter fits, a leak does not go unseen.
    fn default() -> Self {
        Self { pick: Duration::from_millis(10), init: Duration::from_secs(1), memory: 64 << 20 }
    }
}

/// Counts what an instance holds, and says no.
#[derive(Debug)]
pub(super) struct Meter {
    allowed: usize,
    held: usize,
    /// Was growth refused since the last call began? Then a trap is most likely the guest's
    /// allocator giving up, and the fault is one of memory.
    refused: bool,
}

impl Meter {
    pub(super) fn new(allowed: usize) -> Self {
        Self { allowed, held: 0, refused: false }
    }

    pub(super) fn begin(&mut self) {
        self.refused = false;
    }

    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let held = self.held.saturating_add(desired.saturating_sub(current));
        if held > self.allowed {
            self.refused = true;
            return Ok(false);
        }
        self.held = held;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE_ELEMENTS;
        self.refused |= !fits;
        Ok(fits)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_an_instance_count_together() {
        let mut meter = Meter::new(1_000);
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert!(!meter.memory_growing(0, 600, None).unwrap(), "a second memory");
        assert!(meter.refused());
        assert!(meter.memory_growing(600, 1_000, None).unwrap());
        assert_eq!(meter.held(), 1_000);
    }

    #[test]
    fn a_new_call_starts_without_blame() {
        let mut meter = Meter::new(0);
        assert!(!meter.memory_growing(0, 1, None).unwrap());
        meter.begin();
        assert!(!meter.refused());
    }
}
