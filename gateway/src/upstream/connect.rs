//! Making a connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};

use super::resolve::Resolver;
use super::{Address, Backend, Stream};

/// Connects to `backend`: a name's addresses are tried in turn, beginning with the one that
/// answered last.
///
/// # Errors
/// What the last address said; a name without addresses is [`io::ErrorKind::NotFound`].
pub async fn connect(backend: &Backend) -> io::Result<Stream> {
    match &backend.address {
        Address::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
        Address::Tcp { .. } => connect_tcp(&backend.resolver).await,
    }
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
