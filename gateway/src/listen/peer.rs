//! The client's end of a connection, as the rest of the gateway sees it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;

use super::capacity::Seat;
use super::tls::Session;
use super::{Origin, Trust};
use crate::alarm::Alarm;

/// One client connection: who is at the other end, and what the connection waits for. Shared by
/// the connection's own task and the requests on it.
#[derive(Debug)]
pub struct Peer {
    origin: Origin,
    local: Option<SocketAddr>,
    address_text: Box<str>,
    /// Where the connection is encrypted.
    session: OnceCell<Box<Session>>,
    serial: u64,
    http2: Cell<bool>,
    requests: Cell<u64>,
    pub(super) alarm: Alarm,
    /// Interim answers on their way to an HTTP/1.1 client.
    pub(super) interim: RefCell<BytesMut>,
    /// Taken until the connection ends.
    _seat: Option<Seat>,
    /// Whom its listener believes, and whether this is one of them.
    trust: Option<(bool, Arc<Trust>)>,
}

impl Peer {
    pub(super) fn new(origin: Origin, local: Option<SocketAddr>, serial: u64, alarm: Alarm) -> Self {
        let mut address_text = String::new();
        match origin.client {
            // Writing to a string cannot fail.
            Some(address) => drop(write!(address_text, "{}", address.ip().to_canonical())),
            None => address_text.push_str("unix:"),
        }
        Self {
            origin,
            local,
            address_text: address_text.into(),
            session: OnceCell::new(),
            serial,
            http2: Cell::new(false),
            requests: Cell::new(0),
            alarm,
            interim: RefCell::new(BytesMut::new()),
            trust: None,
            _seat: None,
        }
    }

    /// Sets whom its listener believes about clients.
    pub(super) fn trusting(self, trust: Option<Arc<Trust>>) -> Self {
        let connected = self.origin.client.map(|client| client.ip());
        let trust = trust.map(|trust| (trust.proxies.contain(connected), trust));
        Self { trust, ..self }
    }

    /// Sets the seat that it takes.
    pub(super) fn seated(self, seat: Option<Seat>) -> Self {
        Self { _seat: seat, ..self }
    }

    /// Whom its listener believes about clients, if it believes anybody; and whether this is one
    /// of them.
    #[must_use]
    pub fn trust(&self) -> Option<(&Trust, bool)> {
        self.trust.as_ref().map(|(trusted, trust)| (&**trust, *trusted))
    }

    /// Who made the connection and who the client is.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the handshake came to; there is one at most.
    pub(super) fn set_session(&self, session: Box<Session>) {
        let _ = self.session.set(session);
    }

    /// What was agreed on with the client; none where the connection is not encrypted.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.get().map(|session| &**session)
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.session.get().is_some() { "https" } else { "http" }
    }

    /// Address of the client; none on a unix socket.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.origin.client.map(|address| address.ip().to_canonical())
    }

    /// Port of the client.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.origin.client.map(|address| address.port())
    }

    /// Address of the client as text; `unix:` on a unix socket, as in nginx.
    #[must_use]
    pub fn ip_text(&self) -> &str {
        &self.address_text
    }

    /// Address that accepted the connection; none on a unix socket.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Serial number of the connection in its worker.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Requests begun on this connection so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Sends an interim answer (103) ahead of the final one. HTTP/1.1 only; the caller checks the
    /// request's version. `head` is a whole head with its empty line.
    pub fn send_interim(&self, head: &[u8]) {
        if !self.http2.get() {
            self.interim.borrow_mut().extend_from_slice(head);
        }
    }

    pub(super) fn set_http2(&self) {
        self.http2.set(true);
    }

    /// A request has begun.
    pub(super) fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }
}
