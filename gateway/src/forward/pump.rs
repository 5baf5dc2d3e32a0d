//! Moving a request's body from the client to the backend.

use std::task::{Context, Poll};

use super::request_body::{BodyError, Piece, RequestBody};
use crate::upstream::{Carrier, Error};

/// Whom an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The client, for more of its body.
    Client,
    /// The backend, to take what is sent.
    Backend,
    /// The backend, to answer: the request is sent.
    Answer,
}

/// Why the body stopped moving.
#[derive(Debug)]
pub(super) enum Stop {
    Client(BodyError),
    Backend(Error),
}

/// Moves what can be moved now. A client that is faster than the backend is not read: the next
/// piece is fetched when the last one has been handed to the kernel.
pub(super) fn pump(
    carrier: &mut Carrier,
    body: &mut RequestBody,
    cx: &mut Context<'_>,
) -> Result<Waiting, Stop> {
    loop {
        match carrier.poll_flush(cx) {
            Poll::Pending => return Ok(Waiting::Backend),
            Poll::Ready(Err(error)) => return Err(Stop::Backend(error)),
            Poll::Ready(Ok(())) if body.is_ended() => return Ok(Waiting::Answer),
            Poll::Ready(Ok(())) => {}
        }
        match body.poll_piece(cx) {
            Poll::Pending => return Ok(Waiting::Client),
            Poll::Ready(Err(error)) => return Err(Stop::Client(error)),
            Poll::Ready(Ok(Piece::Data(data))) => carrier.send(data, body.is_chunked(), body.is_ended()),
            Poll::Ready(Ok(Piece::End(trailers))) => carrier.send_end(trailers, body.is_chunked()),
        }
    }
}
