//! HTTP/2 on a client connection (RFC 9113), over the crate `h2`, which is what hyper speaks it with.
//!
//! hyper's own server has no way to send an interim answer, and takes a request that its client has
//! taken back as `NO_ERROR` for one that is whole. One task moves the frames of a connection, one serves each
//! stream.

mod interim;
mod io;
mod sending;
mod stream;
mod watch;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, Connection};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Accepted, Handler, Settings};
pub use interim::Interim;
use io::ClientIo;
use stream::Stream;
use watch::Watch;

/// Streams that a client may have open at a time (nginx `http2_max_concurrent_streams`).
const MAX_STREAMS: u32 = 128;
/// Streams that a client may take back before they were looked at, and streams that may end by an
/// error of its own, before its connection ends (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: usize = 32;
/// Bytes that are kept for a stream whose client does not take them.
const MAX_KEPT: usize = 128 * 1024;
/// Bytes of a request's body, and of all bodies on a connection, that a client may send before
/// somebody has taken what came earlier.
const WINDOW: u32 = 1024 * 1024;

/// Serves requests until the connection ends, its alarm rings, or its last request is answered:
/// when the worker takes leave, or when it has served as many as it may.
pub(super) async fn serve<S, H>(socket: S, first: BytesMut, accepted: Accepted<H>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let watch = Rc::new(Watch::new(Rc::clone(&accepted.peer), &accepted.settings));
    let io = ClientIo::new(socket, first, Rc::clone(&watch));
    let alarm = &accepted.peer.alarm;
    let mut handshake = pin!(builder(&accepted.settings).handshake::<_, Bytes>(io));
    let connection = poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(connection) => Poll::Ready(connection.ok()),
        Poll::Pending => alarm.poll(cx).map(|()| None),
    });
    let Some(connection) = connection.await else { return };
    let mut serving = Serving { connection, watch, leaving: false };
    poll_fn(|cx| match serving.poll(&accepted, cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => alarm.poll(cx),
    })
    .await;
}

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(Some(MAX_RESETS))
        .max_send_buffer_size(MAX_KEPT)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}

struct Serving<S> {
    connection: Connection<ClientIo<S>, Bytes>,
    watch: Rc<Watch>,
    leaving: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Serving<S> {
    /// Moves frames and begins to serve what comes; ready when the connection has ended.
    fn poll<H: Handler>(&mut self, accepted: &Accepted<H>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let last =
                accepted.registry.is_draining() || accepted.peer.requests() >= accepted.settings.max_requests;
            if last && !self.leaving {
                self.leaving = true;
                self.connection.graceful_shutdown();
            }
            // A connection's own failure has been answered by `h2` as far as it can be; the client's
            // leaving is nothing to report.
            let Some(Ok((request, respond))) = ready!(self.connection.poll_accept(cx)) else {
                return Poll::Ready(());
            };
            if let Some(stream) = Stream::begin(&request, respond, &accepted.registry, &self.watch) {
                stream.serve(&accepted.handler, request);
            }
        }
    }
}
