//! All HTTP/2 connections of a worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_local;

use super::lane::{Lane, Seat};
use crate::upstream::{Backend, connect};

/// What became of a connection that is being made; none while it is.
type News = Option<Result<(), (io::ErrorKind, Arc<str>)>>;

#[derive(Debug, Default)]
struct Slot {
    lanes: Vec<Rc<Lane>>,
    /// A connection that is being made, for all that wait for one.
    dial: Option<watch::Receiver<News>>,
}

/// The HTTP/2 connections of one worker to all backends. Requests share a connection until it is
/// full; then there is another. Cheap to clone: all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    by_slot: Rc<RefCell<HashMap<usize, Slot>>>,
}

impl Lanes {
    /// Room for one request to `backend`: on a connection that has some, else on a new one. However
    /// many wait for a new one, one is made at a time, and it is made even if nobody waits any more.
    /// It takes no longer than `patience`.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub async fn seat(
        &self,
        backend: &Arc<Backend>,
        max_streams: usize,
        patience: Duration,
    ) -> io::Result<Seat> {
        loop {
            if let Some(seat) = self.seat_now(backend.slot) {
                return Ok(seat);
            }
            let mut dial = self.dial(backend, max_streams, patience);
            // The maker never leaves without news, unless the worker ends.
            let news = dial.wait_for(Option::is_some).await.map_err(io::Error::other)?.clone();
            match news {
                Some(Err((kind, why))) => return Err(io::Error::new(kind, why.to_string())),
                _ if self.is_open(backend.slot) => {}
                _ => return Err(io::Error::other("HTTP/2: the backend ended the connection at once")),
            }
        }
    }

    /// Room on one of the connections there are; those first that were made first, so that the
    /// others can end when they are not needed any more.
    #[must_use]
    pub fn seat_now(&self, slot: usize) -> Option<Seat> {
        let by_slot = self.by_slot.borrow();
        by_slot.get(&slot)?.lanes.iter().find_map(Lane::seat)
    }

    fn is_open(&self, slot: usize) -> bool {
        self.by_slot.borrow().get(&slot).is_some_and(|slot| slot.lanes.iter().any(|lane| lane.is_open()))
    }

    fn dial(&self, backend: &Arc<Backend>, max_streams: usize, patience: Duration) -> watch::Receiver<News> {
        let mut by_slot = self.by_slot.borrow_mut();
        let slot = by_slot.entry(backend.slot).or_default();
        if let Some(dial) = &slot.dial {
            return dial.clone();
        }
        let (tell, news) = watch::channel(None);
        slot.dial = Some(news.clone());
        let (lanes, backend) = (self.clone(), Arc::clone(backend));
        spawn_local(async move {
            let made = tokio::time::timeout(patience, make(&backend, max_streams)).await;
            let made = made.unwrap_or_else(|_| {
                let why = format!("no connection within {patience:?} (connect_timeout)");
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            });
            tell.send_replace(Some(lanes.take_up(backend.slot, made)));
        });
        news
    }

    fn take_up(&self, slot: usize, made: io::Result<Rc<Lane>>) -> Result<(), (io::ErrorKind, Arc<str>)> {
        let mut by_slot = self.by_slot.borrow_mut();
        let slot = by_slot.entry(slot).or_default();
        slot.dial = None;
        slot.lanes.retain(|lane| lane.is_open());
        slot.lanes.push(made.map_err(|error| (error.kind(), error.to_string().into()))?);
        Ok(())
    }

    /// Closes what went idle before `oldest(slot)` and forgets what backends have closed. `None`
    /// lets go of all of the slot: its backend is gone. What is in flight goes on to its end.
    pub fn sweep(&self, oldest: &impl Fn(usize) -> Option<u64>) {
        self.by_slot.borrow_mut().retain(|slot, held| {
            let Some(oldest) = oldest(*slot) else { return false };
            held.lanes.retain(|lane| lane.is_open() && lane.idle_since().is_none_or(|since| since >= oldest));
            held.dial.is_some() || !held.lanes.is_empty()
        });
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_slot.borrow().values().map(|slot| slot.lanes.len()).sum()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

async fn make(backend: &Backend, max_streams: usize) -> io::Result<Rc<Lane>> {
    Lane::begin(connect(backend, &[]).await?, max_streams).await
}
