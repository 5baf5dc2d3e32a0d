//! HTTP/1.1 on a client connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::connection::{Handler, Settings, answer, poll_connection};
use super::io::ClientIo;
use super::peer::Waiting;
use super::{Peer, Registry};

/// Serves requests until the connection ends. While it is idle it is parked: hyper keeps 16 KiB
/// of buffers for a connection, a parked one only has its socket.
pub(super) async fn serve<S, H>(
    mut io: ClientIo<S>,
    peer: Rc<Peer>,
    settings: &Settings,
    registry: &Registry,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let mut builder = Builder::new();
    // Head timeouts are alarms of ours. No `pipeline_flush`: with it hyper keeps its 400 to itself
    // when bytes that it could not read follow.
    builder.header_read_timeout(None).max_buf_size(settings.max_head.max(8192));
    loop {
        let service = service_fn(|request| answer(&handler, &peer, request));
        let mut connection = Box::new(builder.serve_connection(io, service));
        let mut leaving = false;
        let rang =
            poll_fn(|cx| poll_connection(Pin::new(&mut *connection), &mut leaving, &peer, registry, cx))
                .await;
        if !rang {
            return;
        }
        io = match peer.waiting() {
            Waiting::Request if peer.may_park() => connection.into_parts().io,
            Waiting::Head => return answer_late(connection.into_parts().io.into_socket()).await,
            _ => return,
        };
        if !wait_parked(&mut io, &peer, registry).await {
            return;
        }
    }
}

/// Waits for the next request on a parked connection; false when there will be none.
async fn wait_parked<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut ClientIo<S>,
    peer: &Peer,
    registry: &Registry,
) -> bool {
    peer.park();
    poll_fn(|cx| {
        if registry.is_draining() || peer.alarm.poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        io.poll_first(cx)
    })
    .await
}

/// Tells a client that its head has taken too long.
async fn answer_late<S: AsyncWrite + Unpin>(mut socket: S) {
    let text = "the request's head did not arrive in time (limits.header_timeout)\n";
    let head = format!(
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // Best effort: the client has been too slow already.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.write_all(head.as_bytes())).await;
}
