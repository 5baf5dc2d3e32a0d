//! HTTP/1.1 on a client connection (RFC 9112), driven by one task: read a head, let it be
//! answered, send the answer, and so on. Requests behind the present one wait for their turn.

mod answer;
mod head;
mod sending;
mod wire;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Accepted, Handler, Settings};
use super::registry::Presence;
use super::{Incoming, Peer, Registry, Unreadable};
use answer::Terms;
use head::Head;
use sending::Sending;
use wire::Wire;

/// How long a client may go on sending what nobody wants, so that it can read why
/// (nginx `lingering_timeout`).
const LINGER: Duration = Duration::from_secs(5);

/// When the worker takes leave, an idle client has this time to ask once more, and is then told
/// that the connection ends. A connection that were closed at once would be closed under requests
/// that are on their way.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves requests until the connection ends.
pub(super) async fn serve<S, H>(socket: S, first: BytesMut, accepted: Accepted<H>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let Accepted { peer, settings, registry, handler, presence } = accepted;
    let wire = Rc::new(RefCell::new(Wire::new(socket, first, Rc::clone(&peer), Rc::clone(&registry))));
    let connection = Connection { wire, peer, settings, registry, handler, _presence: presence };
    loop {
        let after = match connection.next().await {
            None => return,
            Some(Ok(head)) => connection.exchange(head).await,
            Some(Err(unreadable)) => connection.refuse(unreadable).await,
        };
        match after {
            After::Next => {}
            After::Close => return connection.close().await,
            After::Cut => return,
        }
    }
}

/// What becomes of the connection when an answer has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It serves the next request.
    Next,
    /// It ends in order.
    Close,
    /// It ends at once, so that the client sees that it did not get all.
    Cut,
}

struct Connection<S, H> {
    wire: Rc<RefCell<Wire<S>>>,
    peer: Rc<Peer>,
    settings: Rc<Settings>,
    registry: Rc<Registry>,
    handler: H,
    _presence: Presence,
}

impl<S, H> Connection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    /// The next head; none when there will be none.
    async fn next(&self) -> Option<Result<Head, Unreadable>> {
        let mut begun = self.wire.borrow().has_incoming();
        let mut leaving = false;
        let limit = if begun { self.settings.header_timeout } else { self.settings.idle_timeout };
        self.peer.alarm.set(limit);
        poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            if let Poll::Ready(head) = wire.poll_head(self.settings.max_head, cx) {
                return Poll::Ready(head);
            }
            if !begun && wire.has_incoming() {
                begun = true;
                self.peer.alarm.set(self.settings.header_timeout);
            }
            if self.registry.is_draining() && !std::mem::replace(&mut leaving, true) && !begun {
                self.peer.alarm.set(FAREWELL);
            }
            let late = || {
                let reason = "the request's head did not arrive in time (limits.header_timeout)";
                Err(Unreadable::new(StatusCode::REQUEST_TIMEOUT, reason))
            };
            self.peer.alarm.poll(cx).map(|()| begun.then(late))
        })
        .await
    }

    /// Lets one request be answered.
    async fn exchange(&self, head: Head) -> After {
        self.peer.count_request();
        let terms = Terms::of(&head);
        let mut answer = pin!(self.handler.handle(&self.peer, self.request(head)));
        match poll_fn(|cx| self.poll_answer(answer.as_mut(), cx)).await {
            Some(response) => self.send(response, terms).await,
            None => After::Cut,
        }
    }

    fn request(&self, head: Head) -> Request<Incoming> {
        let Head { method, target, version, headers, declared, .. } = head;
        let ended = self.wire.borrow().is_body_ended();
        let body = match ended {
            true if head.upgrades => Incoming::upgrade(Rc::clone(&self.wire) as _, declared),
            true => Incoming::empty(declared),
            false => Incoming::http1(Rc::clone(&self.wire) as _, declared),
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        request
    }

    /// Ready with the answer, or with none when the client has left.
    fn poll_answer<F: Future>(&self, answer: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if let Poll::Ready(answer) = answer.poll(cx) {
            return Poll::Ready(Some(answer));
        }
        let mut wire = self.wire.borrow_mut();
        if matches!(wire.poll_interim(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(None);
        }
        wire.poll_gone(cx).map(|()| None)
    }

    async fn refuse(&self, unreadable: Unreadable) -> After {
        let response = self.handler.refuse(&self.peer, unreadable);
        match self.send(response, Terms::unreadable()).await {
            After::Cut => After::Cut,
            After::Next | After::Close => After::Close,
        }
    }

    async fn send(&self, response: Response<H::Body>, mut terms: Terms) -> After {
        let last = self.registry.is_draining() || self.peer.requests() >= self.settings.max_requests;
        terms.keep_alive &= !last;
        let (parts, body) = response.into_parts();
        let (size, ended) = (body.size_hint(), body.is_end_stream());
        let date = self.registry.date.text();
        let (framing, keeps) = {
            let mut wire = self.wire.borrow_mut();
            wire.queue_interim();
            let out = &mut wire.outgoing.framing;
            answer::write(&parts, &size, ended, terms, &date, out)
        };
        drop(parts);
        let mut sending = Sending::new(body, framing, terms.takes_trailers);
        let (alarm, limit) = (&self.peer.alarm, self.settings.send_timeout);
        let whole = poll_fn(|cx| sending.poll(&self.wire, alarm, limit, cx)).await;
        drop(sending);
        let finished = poll_fn(|cx| Poll::Ready(self.wire.borrow_mut().finish_body(cx))).await;
        match (whole, finished && keeps) {
            (false, _) => After::Cut,
            (true, true) => After::Next,
            (true, false) => After::Close,
        }
    }

    /// Ends the connection. As long as the client still sends, closing would reset the connection
    /// and could take the answer from under its eyes (RFC 9112 section 9.6).
    async fn close(&self) {
        self.peer.alarm.set(LINGER);
        poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            if wire.poll_shutdown(cx).is_pending() {
                return self.peer.alarm.poll(cx);
            }
            loop {
                if !wire.is_unread() {
                    return Poll::Ready(());
                }
                match wire.poll_discard(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending if self.registry.is_draining() => return Poll::Ready(()),
                    Poll::Pending => return self.peer.alarm.poll(cx),
                }
            }
        })
        .await;
    }
}
