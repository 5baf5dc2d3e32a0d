//! The body of an answer on its way out.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body;

use super::watch::Serving;

/// Sends a body as far as the client's windows allow, and ends with it, or when the client has left.
pub(super) struct Sending<B> {
    body: B,
    stream: SendStream<Bytes>,
    serving: Serving,
    /// A piece that waits for the client.
    unsent: Bytes,
    /// Nothing follows it.
    last: bool,
}

impl<B> Sending<B> {
    pub(super) fn new(body: B, stream: SendStream<Bytes>, serving: Serving) -> Self {
        Self { body, stream, serving, unsent: Bytes::new(), last: false }
    }

    /// Sends what waits. Ready with whether there is more to come.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.unsent.is_empty() {
            // Not before there is something to send: what one stream reserves, others lack.
            self.stream.reserve_capacity(self.unsent.len());
            if self.stream.capacity() == 0 {
                match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return Poll::Ready(false),
                }
            }
            let part = self.unsent.split_to(self.stream.capacity().min(self.unsent.len()));
            let last = self.last && self.unsent.is_empty();
            if self.stream.send_data(part, last).is_err() || last {
                return Poll::Ready(false);
            }
            self.serving.set_held_up(!self.unsent.is_empty());
        }
        Poll::Ready(true)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Sending<B> {
    /// Takes the next piece of the body. Ready with whether there is more to come.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => {
                self.stream.send_reset(Reason::INTERNAL_ERROR);
                return Poll::Ready(false);
            }
            None => {
                drop(self.stream.send_data(Bytes::new(), true));
                return Poll::Ready(false);
            }
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() && self.body.is_end_stream() => {
                drop(self.stream.send_data(data, true));
                return Poll::Ready(false);
            }
            Ok(data) => {
                self.serving.set_held_up(!data.is_empty());
                self.last = self.body.is_end_stream();
                self.unsent = data;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    drop(self.stream.send_trailers(trailers));
                    return Poll::Ready(false);
                }
            }
        }
        Poll::Ready(true)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Future for Sending<B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // Looked for first, so that whoever takes the answer back wakes this task.
            if self.stream.poll_reset(cx).is_ready() || !ready!(self.poll_unsent(cx)) {
                return Poll::Ready(());
            }
            if !ready!(self.poll_piece(cx)) {
                return Poll::Ready(());
            }
        }
    }
}
