//! Making a connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};

use super::resolve::Resolver;
use super::{Address, Backend, Stream};

/// Connects to `backend`: a name's addresses are tried in turn, beginning with the one that
/// answered last. `greeting` is sent ahead of everything else, TLS included.
///
/// # Errors
/// What the last address said; a name without addresses is [`io::ErrorKind::NotFound`]; why there
/// is no TLS session.
pub async fn connect(backend: &Backend, greeting: &[u8]) -> io::Result<Stream> {
    let mut stream = match &backend.address {
        Address::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
        Address::Tcp { .. } => connect_tcp(&backend.resolver).await?,
    };
    if !greeting.is_empty() {
        stream.write_all(greeting).await?;
    }
    if let Some(tls) = &backend.tls {
        stream = Stream::Tls(tls.shake(stream).await?);
    }
    Ok(stream)
}

async fn connect_tcp(resolver: &Arc<Resolver>) -> io::Result<Stream> {
    let addresses = resolver.addresses().await?;
    let first = resolver.preferred();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for step in 0..addresses.len() {
        let index = (first + step) % addresses.len();
        match dial(addresses[index]).await {
            Ok(stream) => {
                resolver.prefer(index);
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn dial(address: SocketAddr) -> io::Result<Stream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Stream::Tcp(stream))
}
