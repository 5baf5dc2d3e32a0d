//! An answer on its way to the client.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Framing;
use super::wire::Wire;
use crate::alarm::Alarm;

/// The body of an answer whose head is queued.
#[derive(Debug)]
pub(super) struct Sending<B> {
    body: B,
    framing: Framing,
    takes_trailers: bool,
    /// Is more of the body to come?
    open: bool,
    /// Did the body fail? Then the client must see that it is cut.
    cut: bool,
    /// Bytes that were left when a write last found no room.
    stalled: Option<usize>,
}

impl<B: Body<Data = Bytes> + Unpin> Sending<B> {
    pub(super) fn new(body: B, framing: Framing, takes_trailers: bool) -> Self {
        let open = framing != Framing::None;
        Self { body, framing, takes_trailers, open, cut: false, stalled: None }
    }

    /// Ready when all is handed to the kernel (true), or when the answer is cut: by its source,
    /// because the client left, or because it took nothing for `send_timeout`.
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &RefCell<Wire<S>>,
        alarm: &Alarm,
        send_timeout: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        loop {
            let waits = self.fetch(wire, cx);
            let mut wire = wire.borrow_mut();
            match wire.poll_flush(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => {
                    // Each time the client took some, it is given the whole time again.
                    let left = Some(wire.outgoing.len());
                    if std::mem::replace(&mut self.stalled, left) != left {
                        alarm.set(send_timeout);
                    }
                    return alarm.poll(cx).map(|()| false);
                }
                Poll::Ready(Ok(())) => self.stalled = None,
            }
            if !self.open {
                return Poll::Ready(!self.cut);
            }
            if waits {
                // While its source is silent, the client may leave.
                return wire.poll_gone(cx).map(|()| false);
            }
        }
    }

    /// Queues what there is of the body, as far as there is room. True when its source has no
    /// more for now.
    fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &RefCell<Wire<S>>,
        cx: &mut Context<'_>,
    ) -> bool {
        let chunked = self.framing == Framing::Chunked;
        while self.open && wire.borrow().outgoing.has_room() {
            // The source may be fed by the request's body, so the wire is not held meanwhile.
            let frame = Pin::new(&mut self.body).poll_frame(cx);
            let outgoing = &mut wire.borrow_mut().outgoing;
            let trailers = match frame {
                Poll::Pending => return true,
                Poll::Ready(Some(Err(_))) => {
                    (self.open, self.cut) = (false, true);
                    return false;
                }
                Poll::Ready(None) => None,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        outgoing.push(data, chunked);
                        // Behind a large piece there is no room for the end; it follows later.
                        if !(self.body.is_end_stream() && outgoing.has_room()) {
                            continue;
                        }
                        None
                    }
                    Err(frame) => frame.into_trailers().ok(),
                },
            };
            self.open = false;
            if chunked {
                outgoing.push_end(trailers.filter(|_| self.takes_trailers).as_ref());
            }
        }
        false
    }
}
