//! What one worker owns.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::InForce;
use super::complaints::Complaints;
use crate::alarm::Alarms;
use crate::listen::Registry;
use crate::observe::Lines;
use crate::upstream::Pools;

/// What the whole gateway counts of its clients; one for each worker, on cache lines of its own,
/// summed when somebody looks.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Traffic {
    /// Client connections open now.
    pub open: AtomicU64,
    /// Client connections accepted so far.
    pub accepted: AtomicU64,
    /// Answers so far by class of status: 1xx to 5xx.
    pub answers: [AtomicU64; 5],
}

impl Traffic {
    pub(super) fn count_answer(&self, status: u16) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        // Only this worker writes: a load and a store instead of a locked addition.
        let counter = &self.answers[class];
        counter.store(counter.load(Relaxed) + 1, Relaxed);
    }
}

/// One worker: a thread, and what no other thread touches.
#[derive(Debug)]
pub struct Worker {
    /// Its deadlines.
    pub alarms: Rc<Alarms>,
    /// Its client connections.
    pub registry: Rc<Registry>,
    /// Its idle connections to backends.
    pub pools: Pools,
    /// What it counts.
    pub traffic: Arc<Traffic>,
    /// What it complains of backends.
    pub(super) of_backends: Complaints,
    /// What it complains of clients.
    pub(super) of_clients: Complaints,
    in_force: RefCell<Rc<InForce>>,
    lines: RefCell<Option<Lines>>,
    scratch: RefCell<Vec<u8>>,
    random: Cell<u64>,
}

impl Worker {
    /// A worker that serves `in_force`. `seed` makes its random bits its own.
    #[must_use]
    pub fn new(in_force: Rc<InForce>, lines: Option<Lines>, traffic: Arc<Traffic>, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            alarms: Rc::default(),
            registry: Rc::default(),
            pools: Pools::default(),
            traffic,
            in_force: RefCell::new(in_force),
            lines: RefCell::new(lines),
            scratch: RefCell::default(),
            random: Cell::new(seed),
            of_backends: Complaints::default(),
            of_clients: Complaints::default(),
        })
    }

    /// What is in force now.
    #[must_use]
    pub fn in_force(&self) -> Rc<InForce> {
        Rc::clone(&self.in_force.borrow())
    }

    /// Puts another generation in force and returns the one before. Requests that have begun
    /// keep theirs.
    pub fn replace(&self, next: Rc<InForce>) -> Rc<InForce> {
        self.in_force.replace(next)
    }

    /// Changes where access log lines go.
    pub fn set_lines(&self, lines: Option<Lines>) {
        self.lines.replace(lines);
    }

    /// Is there an access log?
    #[must_use]
    pub fn logs(&self) -> bool {
        self.lines.borrow().is_some()
    }

    /// Works on the access log's lines, if there is one.
    pub fn with_lines(&self, act: impl FnOnce(&mut Lines)) {
        if let Some(lines) = self.lines.borrow_mut().as_mut() {
            act(lines);
        }
    }

    /// Lends an empty buffer that keeps its room between requests.
    pub fn with_scratch<T>(&self, act: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut scratch = self.scratch.take();
        scratch.clear();
        let done = act(&mut scratch);
        self.scratch.replace(scratch);
        done
    }

    /// 64 random bits (splitmix64): for policies and identifiers, not for secrets.
    #[must_use]
    pub fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
