//! A backend that the test plays itself, byte by byte and in its own thread: accept, read, write.

use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use super::stream::Stream;
use super::{PATIENCE, Wire};

/// A listener in the hands of the test. Displays as its address.
pub struct Script {
    listener: Listener,
    address: String,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A backend played by the test on 127.0.0.1.
pub fn script() -> Script {
    script_at("127.0.0.1:0")
}

/// A backend played by the test at an address: `[::1]:0` or `unix:/path`.
pub fn script_at(address: &str) -> Script {
    let Some(path) = address.strip_prefix("unix:") else {
        let listener = TcpListener::bind(address).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        return Script { listener: Listener::Tcp(listener), address };
    };
    let listener = UnixListener::bind(Path::new(path)).expect("a free path");
    listener.set_nonblocking(true).expect("a listener");
    Script { listener: Listener::Unix(listener), address: address.to_owned() }
}

impl Script {
    /// The next connection; fails the test when none is made.
    #[track_caller]
    pub fn accept(&self) -> Wire {
        let begun = Instant::now();
        loop {
            if let Some(wire) = self.try_accept() {
                return wire;
            }
            assert!(begun.elapsed() < PATIENCE, "nobody connected to {}", self.address);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// A connection that is waiting now, if one is.
    pub fn try_accept(&self) -> Option<Wire> {
        let accepted = match &self.listener {
            Listener::Tcp(l) => l.accept().map(|(s, _)| Stream::Tcp(s)),
            Listener::Unix(l) => l.accept().map(|(s, _)| Stream::Unix(s)),
        };
        match accepted {
            Ok(stream) => {
                stream.set_blocking();
                Some(Wire::of(stream))
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => None,
            Err(e) => panic!("cannot accept at {}: {e}", self.address),
        }
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// A port that refuses connections for as long as this lives: bound, so that nobody else gets it,
/// and never listened on.
pub struct Refusing {
    address: String,
    _socket: socket2::Socket,
}

/// A backend that is not there.
pub fn refusing() -> Refusing {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|a| a.as_socket()).expect("an address");
    Refusing { address: address.to_string(), _socket: socket }
}

/// A port whose queue of connections is full for as long as this lives: whoever connects hears
/// nothing, as from a machine that is gone.
pub struct Silent {
    address: String,
    _sockets: Vec<socket2::Socket>,
}

/// A backend that does not even refuse.
pub fn silent() -> Silent {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let listener = new();
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).expect("a free port");
    listener.listen(0).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut sockets = vec![listener];
    // One connection fits into the queue of length 0; some more, so that it surely is full.
    for _ in 0..4 {
        let client = new();
        client.set_nonblocking(true).expect("a socket");
        let _ = client.connect(&address);
        sockets.push(client);
    }
    let address = address.as_socket().expect("an address").to_string();
    Silent { address, _sockets: sockets }
}

impl Display for Silent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Display for Refusing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
