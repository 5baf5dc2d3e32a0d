//! The client's end of a connection, as the rest of the gateway sees it.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;

use super::Settings;
use super::capacity::Seat;
use crate::alarm::Alarm;

/// An idle HTTP/1.1 connection is parked after this time.
const PARKED_AFTER: Duration = Duration::from_secs(1);

/// What a connection waits for when no request is being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The first byte of a request.
    Request,
    /// The rest of a request's head.
    Head,
    /// Nothing: a request is being served.
    Nothing,
}

/// One client connection: who is at the other end, and what the connection waits for. Shared by
/// the connection's own task and the requests on it.
#[derive(Debug)]
pub struct Peer {
    address: Option<SocketAddr>,
    local: Option<SocketAddr>,
    address_text: Box<str>,
    serial: u64,
    http2: Cell<bool>,
    requests: Cell<u64>,
    serving: Cell<u32>,
    waiting: Cell<Waiting>,
    /// Did the last write find no room? Then something is still to be sent.
    stalled: Cell<bool>,
    pub(super) alarm: Alarm,
    idle_timeout: Duration,
    /// Interim answers on their way to an HTTP/1.1 client, ahead of hyper's own bytes.
    pub(super) interim: RefCell<BytesMut>,
    /// Taken until the connection ends.
    _seat: Option<Seat>,
}

impl Peer {
    pub(super) fn new(
        address: Option<SocketAddr>,
        local: Option<SocketAddr>,
        serial: u64,
        alarm: Alarm,
        settings: &Settings,
        seat: Option<Seat>,
    ) -> Self {
        let mut address_text = String::new();
        match address {
            // Writing to a string cannot fail.
            Some(address) => drop(write!(address_text, "{}", address.ip().to_canonical())),
            None => address_text.push_str("unix:"),
        }
        Self {
            address,
            local,
            address_text: address_text.into(),
            serial,
            http2: Cell::new(false),
            requests: Cell::new(0),
            serving: Cell::new(0),
            waiting: Cell::new(Waiting::Request),
            stalled: Cell::new(false),
            alarm,
            idle_timeout: settings.idle_timeout,
            interim: RefCell::new(BytesMut::new()),
            _seat: seat,
        }
    }

    /// Address of the client; none on a unix socket.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip().to_canonical())
    }

    /// Port of the client.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.address.map(|address| address.port())
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

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting.get()
    }

    /// Bytes came: if none were expected before the next request, they are its head.
    pub(super) fn note_bytes(&self, header_timeout: Duration) {
        if self.waiting.get() == Waiting::Request && !self.http2.get() {
            self.waiting.set(Waiting::Head);
            self.alarm.set(header_timeout);
        }
    }

    /// A write found no room, or found some again: the client must take what it is sent within
    /// `send_timeout`.
    pub(super) fn note_stall(&self, stalled: bool, send_timeout: Duration) {
        if self.stalled.replace(stalled) == stalled {
            return;
        }
        match (stalled, self.serving.get()) {
            (true, _) => self.alarm.set(send_timeout),
            (false, 0) => self.alarm.set(self.rest()),
            (false, _) => self.alarm.clear(),
        }
    }

    /// The alarm has rung on an idle connection: may it be parked, or is its time over?
    pub(super) fn may_park(&self) -> bool {
        self.requests.get() > 0 && self.idle_timeout > PARKED_AFTER && !self.stalled.get()
    }

    /// Gives a parked connection the rest of its idle time.
    pub(super) fn park(&self) {
        self.alarm.set(self.idle_timeout.saturating_sub(PARKED_AFTER));
    }

    /// How long an idle connection stays as it is.
    fn rest(&self) -> Duration {
        if self.http2.get() { self.idle_timeout } else { self.idle_timeout.min(PARKED_AFTER) }
    }

    pub(super) fn begin(&self) {
        self.requests.set(self.requests.get() + 1);
        if self.serving.replace(self.serving.get() + 1) == 0 {
            self.waiting.set(Waiting::Nothing);
            if !self.stalled.get() {
                self.alarm.clear();
            }
        }
    }

    pub(super) fn end(&self) {
        self.serving.set(self.serving.get() - 1);
        if self.serving.get() == 0 {
            self.waiting.set(Waiting::Request);
            if !self.stalled.get() {
                self.alarm.set(self.rest());
            }
        }
    }
}
