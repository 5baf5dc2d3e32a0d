//! A worker's thread: what it is told to do, and what it does every now and then.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, spawn_local};

use crate::alarm;
use crate::forward::{Forward, Generation, InForce, Traffic, Worker};
use crate::listen::tls::Terminator;
use crate::listen::{self, Bound};
use crate::observe::Lines;
use crate::policy::{Engine, Picker};
use crate::stats::clock;

/// How long a worker that quits lets in who waits already.
const LAST_CALL: Duration = Duration::from_millis(2);

/// What a worker is told to do.
pub(super) enum Order {
    /// Put a generation in force, and say so when it is.
    PutInForce(Box<Shift>, Sender<()>),
    /// Let another picker serve an upstream of this generation.
    Replace { generation: u64, upstream: usize, picker: Box<Picker> },
    /// Say what the policies want to hand over, by upstream.
    Save(Sender<Vec<Option<Vec<u8>>>>),
    /// Say what the policy of one upstream wants to hand over.
    SaveOne(usize, Sender<Option<Vec<u8>>>),
    /// Stop accepting, end idle connections, and leave when the last request is answered.
    Quit,
    /// Leave now.
    Stop,
}

/// A generation as one worker gets it.
pub(super) struct Shift {
    pub(super) generation: Arc<Generation>,
    pub(super) pickers: Vec<Picker>,
    pub(super) settings: listen::Settings,
    /// Some: the access log changed; then its lines, if there is one.
    pub(super) lines: Option<Option<Lines>>,
    /// Listeners that are new.
    pub(super) open: Vec<Opened>,
    /// Listeners that are gone.
    pub(super) close: Vec<listen::Address>,
}

/// A new listener, as one worker gets it.
pub(super) struct Opened {
    pub(super) address: listen::Address,
    pub(super) bound: Bound,
    pub(super) terminator: Arc<Terminator>,
}

/// The thread's body. Returns when the worker has left.
pub(super) fn work(
    first: Shift,
    orders: UnboundedReceiver<Order>,
    traffic: Arc<Traffic>,
    seed: u64,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    Engine::prepare_thread();
    runtime.block_on(async { Post::take(first, traffic, seed).serve(orders).await });
    Ok(())
}

/// A worker at its post.
struct Post {
    worker: Rc<Worker>,
    settings: listen::Handed,
    /// By address: whoever inherited sockets may have several for one.
    accepting: HashMap<listen::Address, Vec<JoinHandle<()>>>,
}

impl Post {
    fn take(first: Shift, traffic: Arc<Traffic>, seed: u64) -> Self {
        let in_force = InForce::new(Arc::clone(&first.generation), first.pickers);
        let worker = Worker::new(in_force, first.lines.flatten(), traffic, seed);
        let mut post = Self {
            worker,
            settings: Rc::new(RefCell::new(Rc::new(first.settings))),
            accepting: HashMap::new(),
        };
        post.open(first.open);
        post.start_ticks();
        spawn_local(look_round(Rc::clone(&post.worker)));
        post
    }

    async fn serve(mut self, mut orders: UnboundedReceiver<Order>) {
        while let Some(order) = orders.recv().await {
            match order {
                Order::PutInForce(shift, done) => {
                    self.put_in_force(*shift);
                    // Nobody waits any more if the reload gave up; the generation is in force all the same.
                    let _ = done.send(());
                }
                Order::Replace { generation, upstream, picker } => {
                    self.replace(generation, upstream, *picker);
                }
                Order::Save(reply) => drop(reply.send(self.save())),
                Order::SaveOne(upstream, reply) => {
                    let in_force = self.worker.in_force();
                    let saved = in_force.pickers.get(upstream).and_then(|picker| picker.borrow_mut().save());
                    drop(reply.send(saved));
                }
                Order::Quit => return self.quit(&mut orders).await,
                Order::Stop => break,
            }
        }
        self.worker.with_lines(Lines::flush);
    }

    fn put_in_force(&mut self, shift: Shift) {
        if let Some(lines) = shift.lines {
            self.worker.with_lines(Lines::flush);
            self.worker.set_lines(lines);
        }
        *self.settings.borrow_mut() = Rc::new(shift.settings);
        drop(self.worker.replace(InForce::new(shift.generation, shift.pickers)));
        self.start_ticks();
        for address in shift.close {
            self.accepting.remove(&address).into_iter().flatten().for_each(|accepting| accepting.abort());
        }
        self.open(shift.open);
    }

    fn open(&mut self, opened: Vec<Opened>) {
        for Opened { address, bound, terminator } in opened {
            let socket = match bound.into_socket() {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::error!("cannot listen on {address}: {error}");
                    continue;
                }
            };
            let (worker, settings) = (Rc::clone(&self.worker), Rc::clone(&self.settings));
            let (alarms, registry) = (Rc::clone(&worker.alarms), Rc::clone(&worker.registry));
            let (name, handler) = (address.clone(), Forward(worker));
            let serve = listen::serve(socket, name, terminator, settings, alarms, registry, handler);
            let accepting = spawn_local(serve);
            self.accepting.entry(address).or_default().push(accepting);
        }
    }

    fn replace(&self, generation: u64, upstream: usize, picker: Picker) {
        let in_force = self.worker.in_force();
        if in_force.generation.number == generation
            && let Some(place) = in_force.pickers.get(upstream)
        {
            *place.borrow_mut() = picker;
            start_tick(&in_force, upstream);
        }
    }

    fn save(&self) -> Vec<Option<Vec<u8>>> {
        self.worker.in_force().pickers.iter().map(|picker| picker.borrow_mut().save()).collect()
    }

    fn start_ticks(&self) {
        let in_force = self.worker.in_force();
        for upstream in 0..in_force.pickers.len() {
            start_tick(&in_force, upstream);
        }
    }

    async fn quit(mut self, orders: &mut UnboundedReceiver<Order>) {
        // Whoever waits to be let in still is.
        tokio::time::sleep(LAST_CALL).await;
        self.accepting.drain().flat_map(|(_, accepting)| accepting).for_each(|accepting| accepting.abort());
        self.worker.registry.drain(&self.worker.alarms);
        tokio::select! {
            () = self.worker.registry.emptied() => {}
            () = until_stop(orders) => {}
        }
        self.worker.with_lines(Lines::flush);
    }
}

async fn until_stop(orders: &mut UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Stop => return,
            Order::PutInForce(_, done) => drop(done),
            _ => {}
        }
    }
}

/// Ticks the policy of an upstream for as long as its picker serves.
fn start_tick(in_force: &Rc<InForce>, upstream: usize) {
    let picker = in_force.pickers[upstream].borrow();
    if let Some(period) = picker.period() {
        spawn_local(tick(Rc::downgrade(in_force), upstream, picker.age(), period));
    }
}

async fn tick(in_force: Weak<InForce>, upstream: usize, age: u64, period: Duration) {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(in_force) = in_force.upgrade() else { return };
        let mut picker = in_force.pickers[upstream].borrow_mut();
        if picker.age() != age {
            return;
        }
        picker.tick(clock::now());
    }
}

/// The worker's round: alarms, counters, access log lines, idle connections.
async fn look_round(worker: Rc<Worker>) {
    let mut interval = tokio::time::interval(alarm::INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0u64.. {
        interval.tick().await;
        let now = clock::now();
        worker.alarms.ring(now);
        worker.registry.refresh_date();
        worker.traffic.open.store(worker.registry.open() as u64, Relaxed);
        worker.traffic.accepted.store(worker.registry.accepted(), Relaxed);
        worker.with_lines(Lines::flush);
        if round.is_multiple_of(10) {
            sweep_pools(&worker, now);
        }
    }
}

fn sweep_pools(worker: &Worker, now: u64) {
    let in_force = worker.in_force();
    let mut oldest = HashMap::new();
    for upstream in &in_force.generation.upstreams {
        let timeout = u64::try_from(upstream.settings.idle_timeout.as_micros()).unwrap_or(u64::MAX);
        for backend in &upstream.backends {
            oldest.insert(backend.slot, now.saturating_sub(timeout));
        }
    }
    worker.pools.sweep(|slot| oldest.get(&slot).copied());
}
