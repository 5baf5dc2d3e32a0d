//! How many client connections there may be.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::limit::{AtOnce, Presence, hash};
use crate::stats::clock;

/// How often a worker that has a connection but no seat for it looks again.
const LOOK: Duration = Duration::from_millis(10);

/// Addresses whose connections can be counted at the same time.
const CLIENTS: usize = 1 << 16;

/// The seats for client connections, over all listeners and workers. They outlive reloads.
#[derive(Debug)]
pub struct Capacity {
    taken: AtomicU64,
    max: AtomicU64,
    /// Was it said that all seats are taken?
    said: AtomicBool,
    per_client: AtomicU64,
    /// Made when it is first needed.
    clients: OnceLock<Arc<AtOnce>>,
    /// When it was last said that a client has too many, microseconds.
    complained: AtomicU64,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            taken: AtomicU64::new(0),
            max: AtomicU64::new(u64::MAX),
            said: AtomicBool::new(false),
            per_client: AtomicU64::new(u64::MAX),
            clients: OnceLock::new(),
            complained: AtomicU64::new(0),
        }
    }
}

impl Capacity {
    /// Sets the most connections (nginx `worker_connections`), and the most of one client's
    /// address. None is no limit. Those that are there stay.
    pub fn set(&self, max: Option<u64>, per_client: Option<u64>) {
        self.max.store(max.unwrap_or(u64::MAX), Relaxed);
        self.per_client.store(per_client.unwrap_or(u64::MAX), Relaxed);
    }

    /// Waits for a seat. Whoever waits here accepts nobody else, so that more connections wait in
    /// the system's queue (`backlog`), and when that is full their clients try again.
    pub(super) async fn seat(self: &Arc<Self>) -> Seat {
        loop {
            let taken = self.taken.fetch_add(1, Relaxed);
            let seat = Seat { capacity: Arc::clone(self), _client: None };
            if taken < self.max.load(Relaxed) {
                self.said.store(false, Relaxed);
                return seat;
            }
            drop(seat);
            if !self.said.swap(true, Relaxed) {
                let max = self.max.load(Relaxed);
                tracing::warn!("{max} clients are connected (limits.max_connections): more have to wait");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// At most once a second.
    fn may_complain(&self) -> bool {
        let (now, last) = (clock::now(), self.complained.load(Relaxed));
        let due = last == 0 || now > last + 1_000_000;
        due && self.complained.compare_exchange(last, now, Relaxed, Relaxed).is_ok()
    }
}

/// One connection's seat.
#[derive(Debug)]
pub(super) struct Seat {
    capacity: Arc<Capacity>,
    _client: Option<Presence>,
}

impl Seat {
    /// Counts the connection for its client. False when that has as many as it may have.
    pub(super) fn admits(&mut self, client: Option<IpAddr>) -> bool {
        let max = self.capacity.per_client.load(Relaxed);
        let (Some(client), true) = (client, max < u64::MAX) else { return true };
        let key = match client.to_canonical() {
            IpAddr::V4(ip) => hash(&ip.octets()),
            IpAddr::V6(ip) => hash(&ip.octets()),
        };
        let clients = self.capacity.clients.get_or_init(|| AtOnce::new(CLIENTS));
        self._client = clients.enter(key, max).ok();
        if self._client.is_none() && self.capacity.may_complain() {
            tracing::warn!(
                "{client}: closed at once, it has {max} connections (limits.max_connections_per_client)"
            );
        }
        self._client.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.capacity.taken.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_seat_is_free_again_when_its_connection_ends() {
        let capacity = Arc::new(Capacity::default());
        capacity.set(Some(2), None);
        let (first, _second) = (capacity.seat().await, capacity.seat().await);
        let third = tokio::time::timeout(Duration::from_secs(60), capacity.seat());
        assert!(third.await.is_err(), "all are taken");
        drop(first);
        drop(capacity.seat().await);
        assert_eq!(capacity.taken.load(Relaxed), 1);
    }

    #[tokio::test]
    async fn a_client_has_its_own_number_of_seats() {
        let capacity = Arc::new(Capacity::default());
        capacity.set(None, Some(1));
        let address = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
        let mut first = capacity.seat().await;
        assert!(first.admits(address(1)));
        assert!(!capacity.seat().await.admits(address(1)));
        assert!(capacity.seat().await.admits(address(2)));
        assert!(capacity.seat().await.admits(None), "a unix socket has no address");
        drop(first);
        assert!(capacity.seat().await.admits(address(1)));
    }
}
