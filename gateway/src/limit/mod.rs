//! Limits by key: how many requests in a time (nginx `limit_req`), and how many at once (nginx
//! `limit_conn`). Numbers and time only; what a key is and what happens to a request is said
//! elsewhere.
//!
//! The state is shared by all workers: tables of atomics of a fixed size, which take no lock and
//! allocate nothing after they are made. Keys are 64-bit hashes with a seed of the process, so that
//! nobody can choose keys that meet; with a million keys, one in ten million million lookups finds
//! another's state.

mod at_once;
mod rate;

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

pub use at_once::{AtOnce, Full, Presence};
pub use rate::{Answer, Rate, Rates, Rule, Taken};

/// What a limit has done since the gateway started.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests that had to wait.
    pub delayed: AtomicU64,
    /// Requests that were refused.
    pub refused: AtomicU64,
}

/// The hash of a key; the same in all workers, and another in each process.
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    xxhash_rust::xxh3::xxh3_64_with_seed(key, *SEED)
}
