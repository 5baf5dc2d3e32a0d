//! The handshake of one connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use super::hello::{self, Hello};
use super::{Session, Terminator, Terms};
use crate::alarm::Alarm;
use crate::listen::connection::{Accepted, Handler, serve_connection};
use crate::listen::registry::Registry;

/// How long a client whose handshake has failed may go on sending.
const LINGER: Duration = Duration::from_secs(1);
/// And how many pieces of it are taken in.
const MOST_UNWANTED: usize = 64;

/// Why there is no session.
enum Failure {
    TimedOut,
    Leaving,
    Plain,
    Io(io::Error),
}

/// Does the handshake, then serves the connection.
pub(in crate::listen) async fn serve<S, H>(
    socket: S,
    terms: Arc<Terms>,
    terminator: Arc<Terminator>,
    accepted: Accepted<H>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let peer = &accepted.peer;
    peer.alarm.set(terms.settings.handshake_timeout);
    // Boxed: it is large, and over long before the connection is.
    let shaken = Box::pin(in_time(shake(socket, &terms), &peer.alarm, &accepted.registry)).await;
    drop(terms);
    let counts = &terminator.counts;
    let count = |counter: &AtomicU64| {
        counter.fetch_add(1, Relaxed);
    };
    let stream = match shaken {
        Ok(stream) => stream,
        Err(failure) => {
            match failure {
                Failure::TimedOut => count(&counts.timed_out),
                Failure::Plain => count(&counts.plain),
                Failure::Leaving => {}
                Failure::Io(error) => {
                    count(&counts.failed);
                    tracing::debug!("{}: no TLS: {error}", peer.ip_text());
                }
            }
            return;
        }
    };
    let session = Session::of(stream.get_ref().1);
    count(if session.resumed { &counts.resumed } else { &counts.full });
    peer.set_session(session);
    serve_connection(stream, accepted).await;
}

async fn shake<S>(mut socket: S, terms: &Terms) -> Result<TlsStream<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match hello::read(&mut socket).await.map_err(Failure::Io)? {
        Hello::Plain => {
            hello::refuse_plain(&mut socket).await;
            Err(Failure::Plain)
        }
        Hello::Tls(accepted) => {
            let start = StartHandshake::from_parts(*accepted, socket);
            match start.into_stream(Arc::clone(&terms.config)).into_fallible().await {
                Ok(stream) => Ok(stream),
                Err((error, socket)) => {
                    linger(socket).await;
                    Err(Failure::Io(error))
                }
            }
        }
    }
}

/// Takes in what a client still sends after a failed handshake: in TLS 1.3 it believes to be done
/// before its certificate is looked at. Closing at once would reset the connection, and the client
/// would not read the alert that says why.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
    let mut unwanted = [0; 1024];
    let discard = async {
        if socket.shutdown().await.is_ok() {
            for _ in 0..MOST_UNWANTED {
                if !matches!(socket.read(&mut unwanted).await, Ok(1..)) {
                    return;
                }
            }
        }
    };
    // Best effort: the session is lost either way.
    let _ = tokio::time::timeout(LINGER, discard).await;
}

/// Waits for `work` unless the alarm rings or the worker takes leave first.
async fn in_time<T>(
    work: impl Future<Output = Result<T, Failure>>,
    alarm: &Alarm,
    registry: &Registry,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if registry.is_draining() {
            return Poll::Ready(Err(Failure::Leaving));
        }
        alarm.poll(cx).map(|()| Err(Failure::TimedOut))
    })
    .await
}
