//! What happens next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The next request arrives.
    Arrival,
    /// A client of a closed loop has thought enough.
    Client,
    /// An attempt reaches its backend.
    Reach(Attempt),
    /// A backend has finished what it is nearest to, unless it changed since.
    Finish { server: u32, version: u64 },
    /// An answer, or a failure, reaches the gateway.
    Answer(Attempt, Answer),
    /// Something befalls a backend: the trouble of this number, in its next step.
    Trouble(u32),
    /// The policy of a gateway's worker wants its tick.
    Tick { gateway: u32, worker: u32, age: u64 },
}

/// One attempt of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Where the request stands.
    pub(super) request: u32,
    /// Unlike that of every other attempt of the run.
    pub(super) number: u64,
}

/// How an attempt ends, as the backend or the network has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Success,
    ServerError,
    Refused,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at: u64,
    order: u64,
    event: Event,
}

impl Ord for Due {
    /// The earliest is the greatest, and of those at one moment the one that was scheduled first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Events in the order of their times (nanoseconds).
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BinaryHeap<Due>,
    scheduled: u64,
}

impl Queue {
    pub(super) fn schedule(&mut self, at: u64, event: Event) {
        self.due.push(Due { at, order: self.scheduled, event });
        self.scheduled += 1;
    }

    /// When the next event is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.due.peek().map(|due| due.at)
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        self.due.pop().map(|due| (due.at, due.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_by_the_order_they_were_scheduled_in() {
        let mut queue = Queue::default();
        for (at, number) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            queue.schedule(at, Event::Trouble(number));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let numbers = [(3, 1), (3, 3), (5, 0), (5, 2)].map(|(at, number)| (at, Event::Trouble(number)));
        assert_eq!(order, numbers);
    }
}
