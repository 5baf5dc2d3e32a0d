//! One request and its answer on a stream.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;

use super::interim::Interim;
use super::sending::Sending;
use super::watch::{Serving, Watch};
use crate::listen::{Handler, Incoming, Registry};

/// Fields that HTTP/2 does not have (RFC 9113 section 8.2.2).
const OF_CONNECTIONS: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request that has come, and the way for its answer.
pub(super) struct Stream {
    respond: SendResponse<Bytes>,
    interim: Interim,
    serving: Serving,
    /// Answers to HEAD have no body, whatever their fields say.
    bodiless: bool,
    registry: Rc<Registry>,
}

impl Stream {
    /// None when the request could be read in two ways: its stream is reset (RFC 9113 section 8.1.1).
    pub(super) fn begin(
        request: &Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        registry: &Rc<Registry>,
        watch: &Rc<Watch>,
    ) -> Option<Self> {
        let serving = Serving::begin(watch);
        // `h2` compares the body with the first one only.
        if request.headers().get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
            respond.send_reset(Reason::PROTOCOL_ERROR);
            return None;
        }
        let bodiless = *request.method() == Method::HEAD;
        Some(Self { respond, interim: Interim::default(), serving, bodiless, registry: Rc::clone(registry) })
    }

    /// Lets the request be answered, in a task of its own.
    pub(super) fn serve<H: Handler>(self, handler: &H, request: Request<RecvStream>) {
        let (parts, body) = request.into_parts();
        let body = Incoming::http2(body, &parts.headers, self.interim.clone());
        let response = handler.handle(self.serving.peer(), Request::from_parts(parts, body));
        drop(tokio::task::spawn_local(self.answer(response)));
    }

    async fn answer<B>(mut self, response: impl Future<Output = Response<B>>)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut response = pin!(response);
        let answered = poll_fn(|cx| {
            let answered = response.as_mut().poll(cx);
            self.interim.send(&mut self.respond);
            match answered {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                // A client that takes its request back, or leaves, waits for nothing any more.
                Poll::Pending => self.respond.poll_reset(cx).map(|_| None),
            }
        });
        if let Some(response) = answered.await {
            self.send(response).await;
        }
    }

    async fn send<B>(mut self, response: Response<B>)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (mut parts, body) = response.into_parts();
        let none = parts.status == StatusCode::NO_CONTENT;
        let ended = body.is_end_stream() || self.bodiless || none || parts.status == StatusCode::NOT_MODIFIED;
        if none {
            parts.headers.remove(header::CONTENT_LENGTH);
        } else if let Some(length) = body.size_hint().exact().filter(|_| !body.is_end_stream()) {
            let length = || HeaderValue::from(length);
            parts.headers.entry(header::CONTENT_LENGTH).or_insert_with(length);
        }
        self.complete(&mut parts.headers);
        match self.respond.send_response(Response::from_parts(parts, ()), ended) {
            Ok(stream) if !ended => Sending::new(body, stream, self.serving).await,
            Ok(_) => {}
            Err(_) => self.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    /// Takes out what HTTP/2 does not have, and puts the date in.
    fn complete(&self, headers: &mut HeaderMap) {
        for name in &OF_CONNECTIONS {
            headers.remove(name);
        }
        if let (header::Entry::Vacant(date), Ok(now)) =
            (headers.entry(header::DATE), HeaderValue::from_bytes(&self.registry.date.text()))
        {
            date.insert(now);
        }
    }
}
