//! A socket, TCP or unix, or TLS over TCP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustls::{ClientConnection, ServerConnection, StreamOwned};

/// A connected socket of any kind.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    TlsClient(Box<StreamOwned<ClientConnection, TcpStream>>),
    TlsServer(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// What is below, if it is TCP.
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(s) => Some(s),
            Self::Unix(_) => None,
            Self::TlsClient(s) => Some(&s.sock),
            Self::TlsServer(s) => Some(&s.sock),
        }
    }

    /// Bounds how long reads and writes wait.
    pub fn set_timeouts(&self, time: Duration) {
        self.set_read_timeout(Some(time));
        let done = match self {
            Self::Tcp(s) => s.set_write_timeout(Some(time)).and(s.set_nodelay(true)),
            Self::Unix(s) => s.set_write_timeout(Some(time)),
            tls => tls.tcp().expect("TCP").set_write_timeout(Some(time)),
        };
        done.expect("a socket takes timeouts");
    }

    /// Bounds how long reads wait; none for ever.
    pub fn set_read_timeout(&self, time: Option<Duration>) {
        let done = match self {
            Self::Tcp(s) => s.set_read_timeout(time),
            Self::Unix(s) => s.set_read_timeout(time),
            tls => tls.tcp().expect("TCP").set_read_timeout(time),
        };
        done.expect("a socket takes timeouts");
    }

    /// Makes reads and writes wait (accepted sockets may inherit the contrary).
    pub fn set_blocking(&self) {
        let done = match self {
            Self::Tcp(s) => s.set_nonblocking(false),
            Self::Unix(s) => s.set_nonblocking(false),
            tls => tls.tcp().expect("TCP").set_nonblocking(false),
        };
        done.expect("a socket can block");
    }

    /// Another handle of the same socket.
    pub fn clone_handle(&self) -> Self {
        match self {
            Self::Tcp(s) => Self::Tcp(s.try_clone().expect("a handle")),
            Self::Unix(s) => Self::Unix(s.try_clone().expect("a handle")),
            tls => Self::Tcp(tls.tcp().expect("TCP").try_clone().expect("a handle")),
        }
    }

    /// Closes one or both directions.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.shutdown(how),
            Self::Unix(s) => s.shutdown(how),
            tls => tls.tcp().expect("TCP").shutdown(how),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.read(into),
            Self::Unix(s) => s.read(into),
            Self::TlsClient(s) => s.read(into),
            Self::TlsServer(s) => s.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.write(from),
            Self::Unix(s) => s.write(from),
            Self::TlsClient(s) => s.write(from),
            Self::TlsServer(s) => s.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::TlsClient(s) => s.flush(),
            Self::TlsServer(s) => s.flush(),
        }
    }
}
