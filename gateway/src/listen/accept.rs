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
use super::connection::{Accepted, Handler, Settings, serve_connection};
use super::proxy_protocol::{Peek, take_header};
use super::tls::{self, Terminator};
use super::{Address, Origin, Peer, Registry, Socket, Trust};
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
    address: Address,
    terminator: Arc<Terminator>,
    settings: Handed,
    alarms: Rc<Alarms>,
    registry: Rc<Registry>,
    handler: H,
) {
    let local = socket.address();
    let desk = Rc::new(Desk { address, local, terminator, settings, alarms, registry, handler });
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
    /// The listener, as configured.
    pub address: Address,
    /// The address that accepts them; none on a unix socket.
    pub local: Option<SocketAddr>,
    /// TLS, if connections begin with it.
    pub terminator: Arc<Terminator>,
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
    async fn accept(self: &Rc<Self>, socket: &Socket) -> io::Result<()> {
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
    async fn seat<S>(self: &Rc<Self>, stream: S, address: Option<SocketAddr>)
    where
        S: Peek + AsyncWrite + 'static,
    {
        let settings = Rc::clone(&self.settings.borrow());
        let seat = settings.capacity.seat().await;
        match settings.trust.get(&self.address) {
            Some(trust) if trust.proxy_protocol => {
                spawn_local(Rc::clone(self).learn_client(stream, address, seat, Arc::clone(trust)));
            }
            _ => self.admit(stream, Origin::direct(address), seat),
        }
    }

    /// Serves a connection once its proxy has said who is behind it.
    async fn learn_client<S>(
        self: Rc<Self>,
        mut stream: S,
        address: Option<SocketAddr>,
        seat: Seat,
        trust: Arc<Trust>,
    ) where
        S: Peek + AsyncWrite + 'static,
    {
        let limit = self.settings.borrow().header_timeout;
        if let Some(origin) = take_header(&mut stream, address, &trust, limit).await {
            self.admit(stream, origin, seat);
        }
    }

    /// Serves a connection unless its client has too many.
    fn admit<S>(&self, stream: S, origin: Origin, mut seat: Seat)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        if seat.admits(origin.client.map(|client| client.ip())) {
            self.serve(stream, origin, Some(seat));
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
        self.serve(stream, Origin::direct(address), None);
    }

    fn serve<S>(&self, stream: S, origin: Origin, seat: Option<Seat>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let settings = Rc::clone(&self.settings.borrow());
        let (registry, handler) = (Rc::clone(&self.registry), self.handler.clone());
        let (serial, presence) = (registry.accepted(), registry.enter());
        let trust = settings.trust.get(&self.address).cloned();
        let peer = Peer::new(origin, self.local, serial, self.alarms.alarm()).trusting(trust).seated(seat);
        let accepted = Accepted { peer: Rc::new(peer), settings, registry, handler, presence };
        match self.terminator.terms().clone() {
            None => drop(spawn_local(serve_connection(stream, accepted))),
            Some(terms) => {
                drop(spawn_local(tls::serve(stream, terms, Arc::clone(&self.terminator), accepted)));
            }
        }
    }
}

/// Did the client leave before it was accepted? That is no concern of ours.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput | NotConnected)
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::runtime::LocalRuntime;

    use super::*;
    use crate::listen::{Incoming, Unreadable};

    /// Answers with the path, and panics where that is `/panic`.
    #[derive(Clone)]
    struct Fragile;

    impl Handler for Fragile {
        type Body = Full<Bytes>;

        fn handle(
            &self,
            _: &Rc<Peer>,
            request: Request<Incoming>,
        ) -> impl Future<Output = Response<Full<Bytes>>> + 'static {
            let path = request.uri().path().to_owned();
            async move {
                assert_ne!(path, "/panic", "what the test asks for");
                Response::new(Full::from(path))
            }
        }

        fn refuse(&self, _: &Rc<Peer>, unreadable: Unreadable) -> Response<Full<Bytes>> {
            Response::new(Full::from(unreadable.reason))
        }
    }

    fn desk() -> Desk<Fragile> {
        let limit = Duration::from_secs(60);
        let settings = Settings {
            header_timeout: limit,
            idle_timeout: limit,
            send_timeout: limit,
            max_requests: u64::MAX,
            max_head: 32 * 1024,
            capacity: Arc::default(),
            trust: Arc::default(),
        };
        Desk {
            address: Address::Unix("/nowhere.sock".into()),
            local: None,
            terminator: Arc::default(),
            settings: Rc::new(RefCell::new(Rc::new(settings))),
            alarms: Rc::default(),
            registry: Rc::default(),
            handler: Fragile,
        }
    }

    #[test]
    fn a_panic_costs_its_request_and_nobody_elses() {
        let desk = desk();
        let runtime = LocalRuntime::new().expect("a runtime");
        runtime.block_on(async {
            let [mut kept, mut unlucky] = [(); 2].map(|()| {
                let (near, far) = duplex(4096);
                desk.receive(far, None);
                near
            });
            let mut answer = String::new();
            unlucky.write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert_eq!(unlucky.read_to_string(&mut answer).await.unwrap(), 0, "its connection ends");

            kept.write_all(b"GET /fine HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            kept.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/fine"), "{answer}");
        });
    }
}
