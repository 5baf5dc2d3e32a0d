//! The workers, as the rest of the process sees them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::worker::{Order, Shift, work};
use crate::forward::Traffic;
use crate::policy::Picker;

/// Longest wait for a worker to answer an order. Workers never block, so this is generous.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the end of the workers is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// All workers.
#[derive(Debug)]
pub(super) struct Crew {
    hands: Vec<Hand>,
}

#[derive(Debug)]
struct Hand {
    orders: UnboundedSender<Order>,
    thread: JoinHandle<()>,
    traffic: Arc<Traffic>,
}

impl Crew {
    /// Starts a worker for each shift.
    pub(super) fn start(shifts: Vec<Shift>) -> io::Result<Self> {
        let mut hands = Vec::new();
        for (number, shift) in shifts.into_iter().enumerate() {
            let (orders, receiver) = unbounded_channel();
            let traffic = Arc::new(Traffic::default());
            let counted = Arc::clone(&traffic);
            let seed = super::settings::random_seed();
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                if let Err(error) = work(shift, receiver, counted, seed) {
                    tracing::error!("worker {number}: {error}");
                }
            })?;
            hands.push(Hand { orders, thread, traffic });
        }
        Ok(Self { hands })
    }

    pub(super) fn traffic(&self) -> impl Iterator<Item = &Traffic> {
        self.hands.iter().map(|hand| &*hand.traffic)
    }

    /// What the policies of each worker want to hand over, by upstream.
    pub(super) fn save(&self) -> Vec<Vec<Option<Vec<u8>>>> {
        let replies: Vec<_> = self
            .hands
            .iter()
            .map(|hand| {
                let (reply, answer) = crossbeam_channel::bounded(1);
                self.order(hand, Order::Save(reply));
                answer
            })
            .collect();
        replies.into_iter().map(|answer| answer.recv_timeout(PATIENCE).unwrap_or_default()).collect()
    }

    /// What the policy of one upstream wants to hand over, in each worker.
    pub(super) fn save_one(&self, upstream: usize) -> Vec<Option<Vec<u8>>> {
        let ask = |hand: &Hand| {
            let (reply, answer) = crossbeam_channel::bounded(1);
            self.order(hand, Order::SaveOne(upstream, reply));
            answer
        };
        let replies: Vec<_> = self.hands.iter().map(ask).collect();
        replies.into_iter().map(|answer| answer.recv_timeout(PATIENCE).unwrap_or_default()).collect()
    }

    /// Puts a generation in force in all workers and waits until it is.
    pub(super) fn put_in_force(&self, shifts: Vec<Shift>) {
        let (done, all) = crossbeam_channel::bounded(self.hands.len());
        for (hand, shift) in self.hands.iter().zip(shifts) {
            self.order(hand, Order::PutInForce(Box::new(shift), done.clone()));
        }
        drop(done);
        for _ in &self.hands {
            if all.recv_timeout(PATIENCE).is_err() {
                tracing::error!("a worker did not take up the new generation within {PATIENCE:?}");
            }
        }
    }

    /// Lets another picker serve an upstream in one worker.
    pub(super) fn replace(&self, worker: usize, generation: u64, upstream: usize, picker: Picker) {
        if let Some(hand) = self.hands.get(worker) {
            self.order(hand, Order::Replace { generation, upstream, picker: Box::new(picker) });
        }
    }

    fn order(&self, hand: &Hand, order: Order) {
        // A worker that has left needs no orders.
        let _ = hand.orders.send(order);
    }

    /// Ends all workers: after their last request, but within `patience`, and at once when
    /// `hurry` says so. False when the time ran out and requests were cut.
    pub(super) fn dismiss(self, patience: Duration, hurry: &AtomicBool) -> bool {
        self.hands.iter().for_each(|hand| self.order(hand, Order::Quit));
        let deadline = Instant::now() + patience;
        let mut in_time = true;
        while !hurry.load(Relaxed) && in_time && self.hands.iter().any(|hand| !hand.thread.is_finished()) {
            thread::sleep(LOOK);
            in_time = Instant::now() < deadline;
        }
        self.hands.iter().for_each(|hand| self.order(hand, Order::Stop));
        for hand in self.hands {
            // A worker that panicked has said so on its way out.
            let _ = hand.thread.join();
        }
        in_time
    }
}
