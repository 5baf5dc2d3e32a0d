//! HTTP/2 on a client connection, by hyper.

mod io;
mod tracked;
mod watch;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use http::{Request, Response};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Incoming;
use super::connection::{Accepted, Handler};
use io::ClientIo;
use tracked::Tracked;
use watch::{Serving, Watch};

/// Streams that a client may have open at a time (nginx `http2_max_concurrent_streams`).
const MAX_STREAMS: u32 = 128;
/// Streams that a client may take back before they were looked at, and streams that may end by an
/// error of its own, before its connection ends (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: usize = 32;
/// Bytes that are kept for a stream whose client does not take them.
const MAX_KEPT: usize = 128 * 1024;

/// Serves requests until the connection ends, its alarm rings, or its last request is answered:
/// when the worker takes leave, or when it has served as many as it may.
pub(super) async fn serve<S, H>(socket: S, first: BytesMut, accepted: Accepted<H>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let Accepted { peer, settings, registry, handler, .. } = &accepted;
    let mut builder = Builder::new(Local);
    builder
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_send_buf_size(MAX_KEPT);
    let watch = Rc::new(Watch::new(Rc::clone(peer), settings));
    let io = ClientIo::new(socket, first, Rc::clone(&watch));
    let service = service_fn(|request| {
        let answer = answer(handler, &watch, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut leaving = false;
    poll_fn(|cx| {
        let last = registry.is_draining() || peer.requests() >= settings.max_requests;
        if last && !leaving {
            leaving = true;
            connection.as_mut().graceful_shutdown();
        }
        // A connection's own failure has been answered by hyper as far as it can be; the client's
        // leaving is nothing to report.
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        peer.alarm.poll(cx)
    })
    .await;
}

fn answer<H: Handler>(
    handler: &H,
    watch: &Rc<Watch>,
    request: Request<hyper::body::Incoming>,
) -> impl Future<Output = Response<Tracked<H::Body>>> + 'static {
    let serving = Serving::begin(watch);
    let (parts, body) = request.into_parts();
    let body = Incoming::http2(body, &parts.headers);
    let response = handler.handle(watch.peer(), Request::from_parts(parts, body));
    async move { response.await.map(|body| Tracked::new(body, serving)) }
}

/// Spawns on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(async move { drop(future.await) }));
    }
}
