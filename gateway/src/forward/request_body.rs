//! The body of a request on its way to a backend.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use crate::listen::Incoming;

use super::kept::Kept;

/// A piece of a request's body.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Data(Bytes),
    End(Option<HeaderMap>),
}

/// Why the rest of a body will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Longer than the route allows.
    TooLarge,
    /// Not framed as it should be, or cut by the client.
    Malformed,
}

/// A request's body, counted and bounded.
#[derive(Debug)]
pub(super) struct RequestBody {
    incoming: Option<Incoming>,
    /// What becomes its source if the backend switches protocols.
    upgrade: Option<Incoming>,
    chunked: bool,
    max: u64,
    received: u64,
    touched: bool,
    abandoned: bool,
    /// What was passed on, if the request may be sent again.
    kept: Option<Box<Kept>>,
    /// Nobody takes the rest of it now.
    paused: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming) -> Self {
        let ended = incoming.is_ended();
        let chunked = !ended && incoming.declared().is_none();
        let (incoming, upgrade) = match ended {
            true if incoming.is_upgrade() => (None, Some(incoming)),
            true => (None, None),
            false => (Some(incoming), None),
        };
        Self {
            incoming,
            upgrade,
            chunked,
            max: u64::MAX,
            received: 0,
            touched: false,
            abandoned: false,
            kept: None,
            paused: false,
        }
    }

    /// Keeps up to so many bytes of what is passed on, so that it can be passed on again. To be
    /// called before anything is.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.kept = (!self.is_ended()).then(|| Box::new(Kept::up_to(bytes)));
    }

    /// Sets the most bytes it may have.
    pub(super) fn limit(&mut self, max: u64) {
        self.max = max;
    }

    /// Is its length declared? If not it travels in chunks.
    pub(super) fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// Does the request ask for another protocol?
    pub(super) fn is_upgrade(&self) -> bool {
        self.upgrade.is_some()
    }

    /// The backend has switched: everything that the client sends from here on is passed on.
    pub(super) fn begin_tunnel(&mut self) {
        if let Some(mut incoming) = self.upgrade.take() {
            incoming.begin_tunnel();
            (self.incoming, self.max) = (Some(incoming), u64::MAX);
        }
    }

    /// Is nothing of it to come any more?
    pub(super) fn is_ended(&self) -> bool {
        self.paused || (self.incoming.is_none() && self.kept.as_ref().is_none_or(|kept| kept.is_replayed()))
    }

    /// Has all of it been passed on? Until then a backend waits for more of it.
    pub(super) fn is_passed_on(&self) -> bool {
        self.is_ended() && !self.paused && !self.abandoned
    }

    /// Is all that was passed on still there, so that the request can be sent elsewhere?
    pub(super) fn is_replayable(&self) -> bool {
        !self.touched || self.kept.as_ref().is_some_and(|kept| kept.is_complete())
    }

    /// Begins from the start again.
    pub(super) fn rewind(&mut self) {
        self.paused = false;
        if let Some(kept) = &mut self.kept {
            kept.rewind();
        }
    }

    /// Passes nothing on until it is rewound: the backend takes no more.
    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    /// A backend answers: nothing will be sent again.
    pub(super) fn settle(&mut self) {
        self.kept = None;
        if std::mem::take(&mut self.paused) {
            self.abandon();
        }
    }

    /// Bytes received so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Stops reading: nobody wants the rest.
    pub(super) fn abandon(&mut self) {
        self.abandoned |= self.incoming.take().is_some();
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        if self.paused {
            return Poll::Ready(Ok(Piece::End(None)));
        }
        if let Some(piece) = self.kept.as_mut().and_then(|kept| kept.next()) {
            return Poll::Ready(Ok(piece));
        }
        let Some(incoming) = self.incoming.as_mut() else { return Poll::Ready(Ok(Piece::End(None))) };
        let frame = match incoming.poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(frame) => frame,
        };
        self.touched = true;
        let piece = match frame {
            None => {
                self.incoming = None;
                Ok(Piece::End(None))
            }
            Some(Err(_)) => Err(BodyError::Malformed),
            Some(Ok(frame)) => self.accept(frame),
        };
        if let (Some(kept), Ok(piece)) = (&mut self.kept, &piece) {
            kept.note(piece);
        }
        Poll::Ready(piece)
    }

    fn accept(&mut self, frame: http_body::Frame<Bytes>) -> Result<Piece, BodyError> {
        match frame.into_data() {
            Ok(data) => {
                self.received += data.len() as u64;
                if !self.chunked && self.incoming.as_ref().is_some_and(Incoming::is_ended) {
                    self.incoming = None;
                }
                if self.received > self.max { Err(BodyError::TooLarge) } else { Ok(Piece::Data(data)) }
            }
            Err(frame) => {
                self.incoming = None;
                Ok(Piece::End(frame.into_trailers().ok()))
            }
        }
    }
}
