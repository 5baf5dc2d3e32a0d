//! Moving a request's body from the client to the backend.

use std::task::{Context, Poll};

use super::request_body::{BodyError, Piece, RequestBody};
use crate::upstream::http1::{Connection, Error};

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
    connection: &mut Connection,
    body: &mut RequestBody,
    cx: &mut Context<'_>,
) -> Result<Waiting, Stop> {
    loop {
        match connection.poll_flush(cx) {
            Poll::Pending => return Ok(Waiting::Backend),
            Poll::Ready(Err(error)) => return Err(Stop::Backend(error)),
            Poll::Ready(Ok(())) if body.is_ended() => return Ok(Waiting::Answer),
            Poll::Ready(Ok(())) => {}
        }
        match body.poll_piece(cx) {
            Poll::Pending => return Ok(Waiting::Client),
            Poll::Ready(Err(error)) => return Err(Stop::Client(error)),
            Poll::Ready(Ok(Piece::Data(data))) => connection.send(data, body.is_chunked()),
            Poll::Ready(Ok(Piece::End(trailers))) if body.is_chunked() => {
                connection.send_end(trailers.as_ref());
            }
            Poll::Ready(Ok(Piece::End(_))) => {}
        }
    }
}
