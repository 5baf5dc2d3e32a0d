//! Answers that are compressed on their way.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Response};
use http_body::Frame;

use super::body::{Body, Cut, Source};
use super::story::Story;
use crate::compress::{Coding, Compression, Encoder};

/// Pieces smaller than this wait for more, unless the backend keeps them waiting.
const PIECE: usize = 8 * 1024;
/// After so many bytes of a body others on this worker have their turn.
const TURN: usize = 256 * 1024;

impl Story {
    /// Compresses the answer if it is worth it and the client wants it.
    pub(super) fn compress(&self, compression: Option<&Compression>, response: &mut Response<Body>) {
        let Some(compression) = compression else { return };
        let size = size(response);
        if !compression.suits(response.status(), response.headers(), size) {
            return;
        }
        Compression::mark_varying(response.headers_mut());
        if self.facts.method == Method::HEAD {
            return;
        }
        let Some(coding) = compression.choose(self.version, &self.facts.headers) else { return };
        if let Err(error) = encode(coding, compression, size, response) {
            tracing::error!("cannot compress an answer: {error}");
        }
    }
}

/// Length of the body, if it is known.
fn size(response: &Response<Body>) -> Option<u64> {
    let declared = response.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    declared.or(http_body::Body::size_hint(response.body()).exact())
}

fn encode(
    coding: Coding,
    compression: &Compression,
    size: Option<u64>,
    response: &mut Response<Body>,
) -> io::Result<()> {
    let mut encoder = Encoder::new(coding, compression.levels, size)?;
    let body = response.body_mut();
    match body.take_source() {
        Source::Whole(bytes) => {
            encoder.write(&bytes)?;
            body.set_source(Source::Whole(joined(encoder.take(), &encoder.finish()?)));
        }
        source => body.set_source(Source::Compressed(Box::new(Compressed {
            source,
            encoder: Some(encoder),
            trailers: None,
            cut: false,
        }))),
    }
    Compression::mark_encoded(coding, response.headers_mut());
    Ok(())
}

fn joined(mut first: Vec<u8>, last: &[u8]) -> Bytes {
    first.extend_from_slice(last);
    first.into()
}

/// A body being compressed. While the backend is silent, everything that came is brought out: a
/// stream arrives as it is made.
#[derive(Debug)]
pub(super) struct Compressed {
    pub(super) source: Source,
    /// None when the body has ended.
    encoder: Option<Encoder>,
    /// They come after the last piece.
    trailers: Option<HeaderMap>,
    /// The body is cut; the client is told with the next poll, after what came before.
    cut: bool,
}

impl Compressed {
    pub(super) fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.cut {
            return Poll::Ready(Some(Err(Cut)));
        }
        let mut taken = 0;
        while let Some(encoder) = &mut self.encoder {
            let frame = match self.source.poll_frame(cx) {
                Poll::Pending => return silent(encoder),
                Poll::Ready(Some(Err(Cut))) => {
                    self.cut = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => Some(frame),
                Poll::Ready(None) => None,
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => {
                    if failed(&encoder.write(&data)) {
                        return Poll::Ready(Some(Err(Cut)));
                    }
                    taken += data.len();
                    if encoder.ready() >= PIECE {
                        return piece(encoder.take());
                    }
                    if taken >= TURN {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                end => {
                    self.trailers = end.and_then(|frame| frame.err()?.into_trailers().ok());
                    return self.end();
                }
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(mut encoder) = self.encoder.take() else { return Poll::Ready(None) };
        let first = encoder.take();
        match encoder.finish() {
            Ok(last) => Poll::Ready(Some(Ok(Frame::data(joined(first, &last))))),
            Err(error) => {
                failed(&Err(error));
                Poll::Ready(Some(Err(Cut)))
            }
        }
    }
}

/// The backend sends nothing now: what it has sent goes out.
fn silent(encoder: &mut Encoder) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
    if failed(&encoder.flush()) {
        return Poll::Ready(Some(Err(Cut)));
    }
    if encoder.ready() > 0 { piece(encoder.take()) } else { Poll::Pending }
}

fn piece(bytes: Vec<u8>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
    Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
}

fn failed(done: &io::Result<()>) -> bool {
    if let Err(error) = done {
        tracing::error!("compressing an answer failed: {error}");
    }
    done.is_err()
}
