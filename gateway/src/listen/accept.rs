//! The accept loop.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;

use super::capacity::Seat;
use super::connection::{Handler, Settings, serve_connection};
use super::{Peer, Registry, Socket};
use crate::alarm::Alarms;

/// Pause after an accept failed for want of descriptors or memory: they may be back then.
const PAUSE: Duration = Duration::from_millis(50);

/// Settings that may be replaced while connections are accepted; each connection keeps those
/// that it began with.
pub type Handed = Rc<RefCell<Rc<Settings>>>;

/// Accepts connections and serves each in a task of its own, until the future is dropped.
/// Nothing is awaited here but the next connection, and no failure ends the loop.
pub async fn serve<H: Handler>(
    socket: Socket,
    settings: Handed,
    alarms: Rc<Alarms>,
    registry: Rc<Registry>,
    handler: H,
) {
    let local = socket.address();
    let desk = Desk { local, settings, alarms, registry, handler };
    loop {
        if let Err(error) = desk.accept(&socket).await
            && !is_the_clients(&error)
        {
            tracing::error!("cannot accept a connection: {error}; trying again in {PAUSE:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Where connections are received, whatever they come over, and what they are served with.
#[derive(Debug)]
pub struct Desk<H> {
    /// The address that accepts them; none on a unix socket.
    pub local: Option<SocketAddr>,
    /// What each connection begins with.
    pub settings: Handed,
    /// The worker's deadlines.
    pub alarms: Rc<Alarms>,
    /// The worker's connections.
    pub registry: Rc<Registry>,
    /// Who answers.
    pub handler: H,
}

impl<H: Handler> Desk<H> {
    async fn accept(&self, socket: &Socket) -> io::Result<()> {
        match socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                self.seat(stream, Some(address)).await;
            }
            Socket::Unix(listener) => self.seat(listener.accept().await?.0, None).await,
        }
        Ok(())
    }

    /// Waits for a seat for the connection, then serves it.
    async fn seat<S>(&self, stream: S, address: Option<SocketAddr>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let capacity = Arc::clone(&self.settings.borrow().capacity);
        let mut seat = capacity.seat().await;
        if seat.admits(address.map(|address| address.ip())) {
            self.serve(stream, address, Some(seat));
        }
    }

    /// Serves a connection that needs no seat in a task of its own, on the worker's thread. `address` is the
    /// client's; none on a unix socket.
    ///
    /// # Panics
    /// Outside of a worker's runtime.
    pub fn receive<S>(&self, stream: S, address: Option<SocketAddr>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        self.serve(stream, address, None);
    }

    fn serve<S>(&self, stream: S, address: Option<SocketAddr>, seat: Option<Seat>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let settings = Rc::clone(&self.settings.borrow());
        let serial = self.registry.accepted();
        let peer = Rc::new(Peer::new(address, self.local, serial, self.alarms.alarm(), seat));
        let registry = Rc::clone(&self.registry);
        spawn_local(serve_connection(stream, peer, settings, registry, self.handler.clone()));
    }
}

/// Did the client leave before it was accepted? That is no concern of ours.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput | NotConnected)
}
