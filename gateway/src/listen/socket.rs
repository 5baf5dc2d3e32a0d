//! Listening sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::PathBuf;

use socket2::{Domain, Protocol, Socket as Socket2, Type};
use tokio::net::{TcpListener, UnixListener};

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An address; port 0 is any free port. An IPv6 address takes no IPv4 connections.
    Tcp(SocketAddr),
    /// Path of a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listening socket that no worker has taken yet.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix socket.
    Unix(StdUnixListener),
}

impl Bound {
    /// Binds one socket for each of `workers`. TCP workers each have their own (`SO_REUSEPORT`:
    /// the kernel spreads connections, no lock between workers); on a unix socket they share one.
    ///
    /// # Errors
    /// What the system says: address in use, permission denied, a path that cannot be written.
    pub fn bind(address: &Address, backlog: i32, workers: usize) -> io::Result<Vec<Self>> {
        match address {
            Address::Tcp(address) => bind_tcp(*address, backlog, workers),
            Address::Unix(path) => {
                let first = bind_unix(path)?;
                let mut bound = Vec::with_capacity(workers);
                for _ in 1..workers {
                    bound.push(Self::Unix(first.try_clone()?));
                }
                bound.push(Self::Unix(first));
                Ok(bound)
            }
        }
    }

    /// At least one for each of `workers`, of sockets that are bound already: where there are too
    /// few, some workers share one.
    ///
    /// # Errors
    /// What the system says.
    pub fn spread(mut bound: Vec<Self>, workers: usize) -> io::Result<Vec<Self>> {
        let given = bound.len();
        for index in given..workers {
            let copy = bound[index % given].try_clone()?;
            bound.push(copy);
        }
        Ok(bound)
    }

    /// Another hold on the same socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }

    /// The address that it is bound to, with the port that the system chose if it was 0.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    pub(super) fn listens_at(&self, address: &Address) -> bool {
        match (self, address) {
            (Self::Tcp(listener), Address::Tcp(address)) => {
                listener.local_addr().is_ok_and(|local| local == *address)
            }
            (Self::Unix(listener), Address::Unix(path)) => {
                listener.local_addr().is_ok_and(|local| local.as_pathname() == Some(path))
            }
            _ => false,
        }
    }

    pub(super) fn place(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|e| e.to_string(), |a| a.to_string()),
            Self::Unix(listener) => format!("{:?}", listener.local_addr()),
        }
    }

    /// Hands the socket to the worker that calls this, within its runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn into_socket(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener)?),
            Self::Unix(listener) => Socket::Unix(UnixListener::from_std(listener)?),
        })
    }
}

impl From<Bound> for OwnedFd {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Tcp(listener) => listener.into(),
            Bound::Unix(listener) => listener.into(),
        }
    }
}

fn bind_tcp(mut address: SocketAddr, backlog: i32, workers: usize) -> io::Result<Vec<Bound>> {
    // Sharing a port is for our own workers. Another gateway of the same user would be let in
    // too, and each would get half of the connections; so the port is first asked for alone.
    drop(tcp_socket(address, false)?);
    let mut bound = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = tcp_socket(address, true)?;
        socket.listen(backlog)?;
        let listener: std::net::TcpListener = socket.into();
        // Port 0: the first socket's port is everybody's.
        address = listener.local_addr()?;
        bound.push(Bound::Tcp(listener));
    }
    Ok(bound)
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket2> {
    let socket = Socket2::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        // `[::]:80` beside `0.0.0.0:80`, as nginx has it.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn bind_unix(path: &PathBuf) -> io::Result<StdUnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on this socket"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = StdUnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A listening socket within a worker's runtime.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// Unix socket.
    Unix(UnixListener),
}

impl Socket {
    /// The address that it is bound to; none for a unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_port_that_the_system_chose() {
        let bound = Bound::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap()), 8, 3).unwrap();
        let ports: Vec<_> = bound.iter().map(|one| one.address().unwrap().port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }

    #[test]
    fn few_sockets_are_shared_and_none_of_many_is_lost() {
        let bound = |sockets| Bound::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap()), 8, sockets).unwrap();
        let one = Bound::spread(bound(1), 3).unwrap();
        assert!(one.len() == 3 && one.iter().all(|copy| copy.address() == one[0].address()));
        assert_eq!(Bound::spread(bound(3), 2).unwrap().len(), 3);
    }

    #[test]
    fn a_port_is_not_shared_with_another_gateway() {
        let first = Bound::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap()), 8, 2).unwrap();
        let taken = Address::Tcp(first[0].address().unwrap());
        assert_eq!(Bound::bind(&taken, 8, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_socket_file_of_a_dead_process_is_replaced_and_that_of_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("x.sock"));
        drop(Bound::bind(&address, 8, 1).unwrap());
        let living = Bound::bind(&address, 8, 2).unwrap();
        assert_eq!(living.len(), 2);
        assert_eq!(Bound::bind(&address, 8, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
