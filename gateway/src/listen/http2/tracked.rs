//! A body that tells its connection whom it waits for.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::watch::Serving;

/// An answer's body on its way to the client; while it lives, the request is being served.
#[derive(Debug)]
pub(super) struct Tracked<B> {
    body: B,
    serving: Serving,
}

impl<B: Body> Tracked<B> {
    pub(super) fn new(body: B, mut serving: Serving) -> Self {
        // It is asked for its first piece when the client has opened a window for it.
        serving.set_held_up(!body.is_end_stream());
        Self { body, serving }
    }
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.serving.set_held_up(matches!(frame, Poll::Ready(Some(Ok(_)))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
