//! Connections that begin with the PROXY protocol.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncReadExt, Interest};
use tokio::net::{TcpStream, UnixStream};

use super::trust::{Origin, Proxied, Trust};
use crate::proxy_protocol::{Found, LONGEST, read};

/// A socket whose bytes can be looked at before they are taken. What follows the header must stay
/// where it is: TLS or HTTP reads it from the socket.
pub(super) trait Peek: AsyncRead + Unpin {
    /// Waits for bytes and copies those that are there, without taking them.
    fn peek(&self, bytes: &mut [u8]) -> impl Future<Output = io::Result<usize>>;
}

impl Peek for TcpStream {
    fn peek(&self, bytes: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        Self::peek(self, bytes)
    }
}

impl Peek for UnixStream {
    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.async_io(Interest::READABLE, || {
            let (_, length) = recv(self, &mut *bytes, RecvFlags::PEEK)?;
            Ok(length)
        })
        .await
    }
}

/// Takes the header from a connection that `address` made, and says who is behind it. None, after
/// a line in the log, if it is not to be served.
pub(super) async fn take_header<S: Peek>(
    socket: &mut S,
    address: Option<SocketAddr>,
    trust: &Trust,
    limit: Duration,
) -> Option<Origin> {
    let from =
        || address.map_or_else(|| "unix:".to_owned(), |address| address.ip().to_canonical().to_string());
    if !trust.proxies.contain(address.map(|address| address.ip())) {
        tracing::warn!(
            "{}: closed, it is no trusted proxy (trusted_proxies), and this listener takes no others (proxy_protocol)",
            from()
        );
        return None;
    }
    match tokio::time::timeout(limit, header(socket)).await {
        Ok(Ok(Some(client))) => Some(Origin { client: Some(client), proxy: Some(Proxied { address }) }),
        Ok(Ok(None)) => Some(Origin::direct(address)),
        Ok(Err(error)) => {
            tracing::warn!("{}: closed: {error} (proxy_protocol)", from());
            None
        }
        Err(_) => {
            tracing::warn!(
                "{}: closed, its PROXY protocol header did not arrive in time (limits.header_timeout)",
                from()
            );
            None
        }
    }
}

/// Reads exactly the header; the client that it names, if it names one.
async fn header<S: Peek>(socket: &mut S) -> io::Result<Option<SocketAddr>> {
    let mut seen = Vec::new();
    let mut block = [0; 512];
    loop {
        let peeked = socket.peek(&mut block).await?;
        if peeked == 0 {
            return Err(io::Error::other("it ended before its PROXY protocol header did"));
        }
        let before = seen.len();
        seen.extend_from_slice(&block[..peeked]);
        let found = read(&seen).map_err(io::Error::other)?;
        let taken = match found {
            Found::Header(length, _) => length - before,
            Found::More if seen.len() >= LONGEST => {
                return Err(io::Error::other("its PROXY protocol header is too long"));
            }
            Found::More => peeked,
        };
        socket.read_exact(&mut block[..taken]).await?;
        if let Found::Header(_, addresses) = found {
            return Ok(addresses.map(|addresses| addresses.source));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::listen::trust::{ClientField, Networks};

    fn trust() -> Trust {
        let proxies = Networks { networks: Vec::new(), unix: true };
        Trust { proxies, field: ClientField::None, proxy_protocol: true }
    }

    #[tokio::test]
    async fn the_header_is_taken_to_its_last_byte_and_no_further() {
        let (mut proxy, mut socket) = UnixStream::pair().unwrap();
        let sending = async {
            for byte in b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" {
                proxy.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            proxy.write_all(b"GET").await.unwrap();
        };
        let trust = trust();
        let taking = take_header(&mut socket, None, &trust, Duration::from_secs(9));
        let (origin, ()) = tokio::join!(taking, sending);
        assert_eq!(origin.unwrap().client.unwrap().to_string(), "203.0.113.7:4711");
        let mut rest = [0; 3];
        socket.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"GET");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_nonsense_is_not_served() {
        let (mut proxy, mut socket) = UnixStream::pair().unwrap();
        let trust = trust();
        assert!(take_header(&mut socket, None, &trust, Duration::from_secs(9)).await.is_none());
        proxy.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        assert!(take_header(&mut socket, None, &trust, Duration::from_secs(9)).await.is_none());
        drop(proxy);
    }
}
