//! Listening sockets that somebody opened for us: systemd (socket activation, sd_listen_fds(3)),
//! or the gateway that this one replaces.

use std::net::TcpListener;

use listenfd::ListenFd;

use super::{Address, Bound};

/// Sockets that were passed and not yet claimed.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Bound>);

impl Inherited {
    /// Takes what the environment announces (`LISTEN_FDS`, `LISTEN_PID`). What is no listening
    /// stream socket is left alone.
    #[must_use]
    pub fn take() -> Self {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
                sockets.push(Bound::Tcp(listener));
            } else if let Ok(Some(listener)) = passed.take_unix_listener(index) {
                sockets.push(Bound::Unix(listener));
            }
        }
        Self(sockets.into_iter().filter(|socket| socket.set_nonblocking().is_ok()).collect())
    }

    /// Those that listen at this address; with port 0, those of any one port there.
    pub fn claim(&mut self, address: &Address) -> Vec<Bound> {
        let any = match address {
            Address::Tcp(any) if any.port() == 0 => {
                let mut passed = self.0.iter().filter_map(Bound::address);
                passed.find(|passed| passed.ip() == any.ip()).map(Address::Tcp)
            }
            _ => None,
        };
        let address = any.as_ref().unwrap_or(address);
        self.0.extract_if(.., |socket| socket.listens_at(address)).collect()
    }

    /// One TCP socket that listens at this address.
    pub fn claim_tcp(&mut self, address: std::net::SocketAddr) -> Option<TcpListener> {
        match self.claim(&Address::Tcp(address)).into_iter().next() {
            Some(Bound::Tcp(listener)) => Some(listener),
            _ => None,
        }
    }

    /// Where those listen that nobody has claimed.
    #[must_use]
    pub fn unclaimed(&self) -> Vec<String> {
        self.0.iter().map(Bound::place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_claimed_by_their_address_and_once() {
        let bound = Bound::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap()), 8, 2).unwrap();
        let address = Address::Tcp(bound[0].address().unwrap());
        let mut inherited = Inherited(bound);
        assert_eq!(inherited.unclaimed(), [address.to_string(), address.to_string()]);
        assert!(inherited.claim(&Address::Tcp("127.0.0.1:1".parse().unwrap())).is_empty());
        assert_eq!(inherited.claim(&address).len(), 2);
        assert!(inherited.claim(&address).is_empty() && inherited.unclaimed().is_empty());
    }

    #[test]
    fn a_unix_socket_is_known_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("x.sock"));
        let mut inherited = Inherited(Bound::bind(&address, 8, 1).unwrap());
        assert_eq!(inherited.claim(&address).len(), 1);
    }
}
