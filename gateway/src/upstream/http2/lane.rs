//! One connection that speaks HTTP/2.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::SendStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::Request;
use tokio::task::spawn_local;

use crate::stats::clock;
use crate::upstream::Stream;
use crate::upstream::http1::MAX_HEAD;

/// How much of one answer may be on its way to us before a slow client has taken what came
/// earlier.
const WINDOW: u32 = 256 * 1024;
/// The same for a whole connection: no limit, so that one slow client cannot hold up the others
/// that share it.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// How much of one request waits for the connection's turn.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that may be begun before the backend has said how many it allows. RFC 9113
/// recommends to allow no fewer.
const BEFORE_SETTINGS: usize = 100;

/// A connection to a backend, with as many requests at a time as both sides allow.
#[derive(Debug)]
pub(super) struct Lane {
    requests: SendRequest<Bytes>,
    max_streams: usize,
    streams: Cell<usize>,
    /// Has it carried a request before?
    used: Cell<bool>,
    retired: Cell<bool>,
    idle_since: Cell<u64>,
}

impl Lane {
    /// Begins to speak HTTP/2 on a fresh socket. The connection's task ends when the lane is gone
    /// and its last stream has ended.
    pub(super) async fn begin(socket: Stream, max_streams: usize) -> io::Result<Rc<Self>> {
        let (requests, connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD as u32)
            .max_send_buffer_size(SEND_BUFFER)
            .initial_max_send_streams(BEFORE_SETTINGS)
            .handshake(socket)
            .await
            .map_err(|error| io::Error::other(format!("HTTP/2: {error}")))?;
        spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection to a backend has ended: HTTP/2: {error}");
            }
        });
        Ok(Rc::new(Self {
            requests,
            max_streams,
            streams: Cell::new(0),
            used: Cell::new(false),
            retired: Cell::new(false),
            idle_since: Cell::new(clock::now()),
        }))
    }

    /// Is it still open, and not about to be closed?
    pub(super) fn is_open(&self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        // Pending is only who has begun a stream through this very handle.
        !self.retired.get() && !matches!(self.requests.clone().poll_ready(&mut nobody), Poll::Ready(Err(_)))
    }

    /// Room for one more request, if there is any.
    pub(super) fn seat(self: &Rc<Self>) -> Option<Seat> {
        let limit = self.max_streams.min(self.requests.current_max_send_streams());
        (self.streams.get() < limit && self.is_open()).then(|| {
            self.streams.set(self.streams.get() + 1);
            Seat { reused: self.used.replace(true), lane: Rc::clone(self) }
        })
    }

    /// Since when it has been idle; none while it is not.
    pub(super) fn idle_since(&self) -> Option<u64> {
        (self.streams.get() == 0).then(|| self.idle_since.get())
    }
}

/// Room for one request on a connection, as long as it lives.
#[derive(Debug)]
pub struct Seat {
    lane: Rc<Lane>,
    reused: bool,
}

impl Seat {
    /// Has the connection carried a request before this one? Then it may have been closed just now.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    pub(super) fn send(
        &self,
        head: Request<()>,
        last: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.lane.requests.clone().send_request(head, last)
    }

    /// No further requests for this connection.
    pub(super) fn retire(&self) {
        self.lane.retired.set(true);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let left = self.lane.streams.get() - 1;
        self.lane.streams.set(left);
        if left == 0 {
            self.lane.idle_since.set(clock::now());
        }
    }
}
