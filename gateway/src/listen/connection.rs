//! One client connection, from its first byte to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1 as hyper_http1, http2};
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::io::ClientIo;
use super::registry::Presence;
use super::tracked::Serving;
use super::{Capacity, Peer, Registry, Tracked, http1};

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
    /// Most bytes of a request's head (nginx `large_client_header_buffers`).
    pub max_head: usize,
    /// The seats for connections.
    pub capacity: Arc<Capacity>,
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
}

pub(super) async fn serve_connection<S, H>(
    mut socket: S,
    peer: Rc<Peer>,
    settings: Rc<Settings>,
    registry: Rc<Registry>,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let presence = registry.enter();
    peer.alarm.set(settings.header_timeout);
    let Some((first, http2)) = sniff(&mut socket, &peer, &registry).await else {
        return;
    };
    peer.note_bytes(settings.header_timeout);
    let scratch = Rc::clone(&registry.scratch);
    let io = ClientIo::new(socket, first, Rc::clone(&peer), scratch, &settings);
    if http2 {
        peer.set_http2();
        serve_http2(io, peer, &settings, &registry, handler).await;
    } else {
        http1::serve(io, peer, &settings, &registry, handler).await;
    }
    drop::<Presence>(presence);
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
            first.reserve(1024);
            match ready!(poll_read_buf(Pin::new(&mut *socket), cx, &mut first)) {
                Ok(0) if !first.is_empty() => return Poll::Ready(Some(false)),
                Ok(0) | Err(_) => return Poll::Ready(None),
                Ok(_) => {}
            }
        }
    })
    .await
    .map(|http2| (first, http2))
}

/// hyper's two kinds of connection, as far as they are alike.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
    fn leave(self: Pin<&mut Self>);
}

impl<I, B, S> Graceful for hyper_http1::Connection<I, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, B, S> Graceful for http2::Connection<I, S, Local>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Local: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection until it ends, its alarm rings, or, when the worker takes leave, its last
/// request is answered. True when the alarm rang.
pub(super) fn poll_connection<C: Graceful>(
    mut connection: Pin<&mut C>,
    leaving: &mut bool,
    peer: &Peer,
    registry: &Registry,
    cx: &mut Context<'_>,
) -> Poll<bool> {
    if registry.is_draining() && !*leaving {
        *leaving = true;
        connection.as_mut().leave();
    }
    // A connection's own failure has been answered by hyper as far as it can be; the client's
    // leaving is nothing to report.
    if connection.poll(cx).is_ready() {
        return Poll::Ready(false);
    }
    peer.alarm.poll(cx).map(|()| true)
}

async fn serve_http2<S, H>(
    io: ClientIo<S>,
    peer: Rc<Peer>,
    settings: &Settings,
    registry: &Registry,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let mut builder = http2::Builder::new(Local);
    builder
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX))
        .max_concurrent_streams(128);
    let shared = (handler, Rc::clone(&peer));
    let service = service_fn(move |request| {
        let (handler, peer) = shared.clone();
        async move { answer(&handler, &peer, request).await }
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut leaving = false;
    poll_fn(|cx| poll_connection(connection.as_mut(), &mut leaving, &peer, registry, cx)).await;
}

pub(super) fn answer<H: Handler>(
    handler: &H,
    peer: &Rc<Peer>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Tracked<H::Body>>, Infallible>> + 'static {
    let serving = Serving::begin(peer);
    let response = handler.handle(peer, request);
    async move { Ok(response.await.map(|body| Tracked::new(body, serving))) }
}

/// Spawns on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(async move { drop(future.await) }));
    }
}
