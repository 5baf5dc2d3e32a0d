//! One client connection, from its first byte to its end.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::registry::Presence;
use super::{Address, Capacity, Incoming, Peer, Registry, Trust, Unreadable, http1, http2};

/// What every HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Limits towards clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest time from the first byte of a request to the end of its head, and from accepting
    /// a connection to its first byte (nginx `client_header_timeout`).
    pub header_timeout: Duration,
    /// How long a connection is kept between requests (nginx `keepalive_timeout`).
    pub idle_timeout: Duration,
    /// Longest silence of a client that does not read (nginx `send_timeout`).
    pub send_timeout: Duration,
    /// Most requests on one connection (nginx `keepalive_requests`).
    pub max_requests: u64,
    /// Most bytes of a request's head (nginx `large_client_header_buffers`).
    pub max_head: usize,
    /// The seats for connections.
    pub capacity: Arc<Capacity>,
    /// Whom the listeners at these addresses believe about their clients.
    pub trust: Arc<HashMap<Address, Arc<Trust>>>,
}

/// Who answers requests.
pub trait Handler: Clone + 'static {
    /// The body of an answer.
    type Body: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Unpin + 'static;

    /// Answers one request of the client at `peer`.
    fn handle(
        &self,
        peer: &Rc<Peer>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + 'static;

    /// Answers what is no request.
    fn refuse(&self, peer: &Rc<Peer>, unreadable: Unreadable) -> Response<Self::Body>;
}

/// A client connection without its socket: what it is served with, until it ends.
pub(super) struct Accepted<H> {
    pub(super) peer: Rc<Peer>,
    pub(super) settings: Rc<Settings>,
    pub(super) registry: Rc<Registry>,
    pub(super) handler: H,
    /// Counts it among the worker's connections.
    pub(super) presence: Presence,
}

pub(super) async fn serve_connection<S, H>(mut socket: S, accepted: Accepted<H>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    accepted.peer.alarm.set(accepted.settings.header_timeout);
    let Some((first, is_http2)) = sniff(&mut socket, &accepted.peer, &accepted.registry).await else {
        return;
    };
    if is_http2 {
        accepted.peer.set_http2();
        // Boxed: most connections are of the other kind and need less room.
        Box::pin(http2::serve(socket, first, accepted)).await;
    } else {
        http1::serve(socket, first, accepted).await;
    }
}

/// Reads until the client's protocol is known: its first bytes, and whether they are the HTTP/2
/// preface. None when the client leaves or says nothing in time.
async fn sniff<S: AsyncRead + Unpin>(
    socket: &mut S,
    peer: &Peer,
    registry: &Registry,
) -> Option<(BytesMut, bool)> {
    let mut first = BytesMut::new();
    poll_fn(|cx| {
        loop {
            let common = first.len().min(PREFACE.len());
            if first[..common] != PREFACE[..common] {
                return Poll::Ready(Some(false));
            }
            if common == PREFACE.len() {
                return Poll::Ready(Some(true));
            }
            if peer.alarm.poll(cx).is_ready() || (first.is_empty() && registry.is_draining()) {
                return Poll::Ready(None);
            }
            let mut chunk = registry.chunk();
            match ready!(poll_read_buf(Pin::new(&mut *socket), cx, &mut *chunk)) {
                Ok(0) if !first.is_empty() => return Poll::Ready(Some(false)),
                Ok(0) | Err(_) => return Poll::Ready(None),
                Ok(_) => first.unsplit(chunk.split()),
            }
        }
    })
    .await
    .map(|http2| (first, http2))
}
