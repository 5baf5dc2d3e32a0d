//! The one Wasm engine of the process.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use pointsman_precompiled::Store;
use wasmtime::component::{Component, Linker};
use xxhash_rust::xxh3::xxh3_128;

use super::component::Compiled;
use super::imports;
use super::view::View;

/// Length of one epoch: the grain of every deadline. Each tick wakes a thread, which on a busy
/// machine displaces a worker: at 1 ms that showed.
const TICK: Duration = Duration::from_millis(5);
/// Stack of a guest, bytes. Interpreters need more than compiled policies.
const STACK: usize = 512 << 10;
/// Frames kept of a trap. The innermost function is what gets logged.
const FRAMES: usize = 8;

/// Components of this size, bytes, are kept on disk once they are compiled: those that carry an
/// interpreter, or the runtime of a language. Smaller ones compile in milliseconds.
const LARGE: usize = 256 << 10;

/// Compiles policies and gives them time. One for each process; clones are handles to the same.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    wasmtime: wasmtime::Engine,
    /// Knows exactly what a policy may import; cloned for each component.
    linker: Linker<View>,
    /// Everything compiled that somebody still uses, by hash of the bytes it came from.
    compiled: Mutex<HashMap<u128, Weak<Compiled>>>,
    /// Where large ones are kept beyond the life of the process.
    store: Option<Store>,
}

impl Engine {
    /// An engine that keeps nothing on disk.
    ///
    /// # Errors
    /// As [`Engine::keeping`].
    pub fn new() -> Result<Self, String> {
        Self::keeping(None)
    }

    /// Starts the engine and the thread that counts its epochs. The thread ends by itself once
    /// the last handle, policy and instance is gone. What is compiled of large policies is kept in
    /// `folder`, if there is one; when that cannot be used, the log says why, and they are compiled
    /// each time.
    ///
    /// # Errors
    /// When the machine cannot run compiled code, or no thread can be started; the text says so.
    pub fn keeping(folder: Option<&Path>) -> Result<Self, String> {
        let store = folder.and_then(|folder| {
            let failed = |error: &std::io::Error| {
                tracing::warn!("compiled policies cannot be kept in `{}`: {error}", folder.display());
            };
            Store::open(folder).inspect_err(failed).ok()
        });
        let wasmtime =
            wasmtime::Engine::new(&configuration()).map_err(|e| format!("no Wasm engine: {e:#}"))?;
        let linker = imports::linker(&wasmtime).map_err(|e| format!("no Wasm linker: {e:#}"))?;
        let watched = wasmtime.weak();
        thread::Builder::new()
            .name("epochs".into())
            .spawn(move || {
                while let Some(engine) = watched.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    thread::sleep(TICK);
                }
            })
            .map_err(|e| format!("no thread to count epochs: {e}"))?;
        let compiled = Mutex::default();
        Ok(Self { shared: Arc::new(Shared { wasmtime, linker, compiled, store }) })
    }

    /// Does the work that each thread's first call would otherwise do. Workers call it at start.
    pub fn prepare_thread() {
        wasmtime::Engine::tls_eager_initialize();
    }

    /// Compiles a component, or takes what was compiled of it before.
    pub(super) fn compile(&self, bytes: &[u8]) -> wasmtime::Result<Component> {
        let engine = &self.shared.wasmtime;
        let Some(store) = self.shared.store.as_ref().filter(|_| bytes.len() >= LARGE) else {
            return Component::from_binary(engine, bytes);
        };
        let content = xxh3_128(bytes);
        if let Some(component) = store.load(engine, content) {
            return Ok(component);
        }
        tracing::info!("compiling {} KiB of policy; that can take some seconds", bytes.len() >> 10);
        let component = Component::from_binary(engine, bytes)?;
        if let Err(error) = store.keep(engine, content, &component) {
            tracing::warn!("what was compiled cannot be kept: {error}");
        }
        Ok(component)
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.shared.wasmtime
    }

    pub(super) fn linker(&self) -> Linker<View> {
        self.shared.linker.clone()
    }

    /// What was compiled from bytes with this hash, if it still lives.
    pub(super) fn recall(&self, hash: u128) -> Option<Arc<Compiled>> {
        let compiled = self.shared.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.get(&hash).and_then(Weak::upgrade)
    }

    /// Remembers it for as long as somebody uses it, and forgets what nobody uses.
    pub(super) fn remember(&self, hash: u128, new: &Arc<Compiled>) {
        let mut compiled = self.shared.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|_, old| old.strong_count() > 0);
        compiled.insert(hash, Arc::downgrade(new));
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.shared.compiled.lock().unwrap().len()
    }
}

/// Where compiled policies are usually kept: what systemd's `CacheDirectory=` names, else the user's
/// cache (XDG base directory specification). None for a user without a home.
#[must_use]
pub fn usual_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let users = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let folder = set("CACHE_DIRECTORY").or_else(|| Some(users()?.join("pointsman")))?;
    Some(folder.join("policies")).filter(|folder| folder.is_absolute())
}

fn configuration() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    // Without it a call costs four times as much; policies are synchronous by contract.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES));
    // A recorded pick must give the same answer on every machine.
    config.relaxed_simd_deterministic(true);
    config
}

/// Epochs that cover `budget`: one more than it is long, because the current one has begun already.
pub(super) fn ticks(budget: Duration) -> u64 {
    let ticks = budget.as_micros().div_ceil(TICK.as_micros());
    u64::try_from(ticks).unwrap_or(u64::MAX / 2) + 1
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_thread_that_counts_epochs_ends_with_the_last_handle() {
        let engine = Engine::new().unwrap();
        let watched = engine.wasmtime().weak();
        drop(engine);
        let began = Instant::now();
        // The thread holds the engine for an instant in each of its rounds.
        while watched.upgrade().is_some() {
            assert!(began.elapsed() < Duration::from_secs(10), "it holds on");
            thread::yield_now();
        }
    }

    #[test]
    fn a_budget_is_never_shortened_by_the_epoch_that_runs() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_micros(1)), 2);
        assert_eq!(ticks(2 * TICK), 3);
        assert!(ticks(Duration::MAX) > 1 << 60);
    }
}
