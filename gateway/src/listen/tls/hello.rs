//! The first message of a handshake, or of somebody who wants none.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use bytes::BytesMut;
use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::io::poll_read_buf;

/// Every TLS connection begins with a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// Room for a whole first message; those with post-quantum keys have some 1,700 bytes.
const FIRST_READ: usize = 2048;

/// What a client began with.
pub(super) enum Hello {
    /// Its half of a handshake.
    Tls(Box<Accepted>),
    /// HTTP without TLS.
    Plain,
}

/// Reads the first message.
pub(super) async fn read<S>(socket: &mut S) -> io::Result<Hello>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut buffer = BytesMut::with_capacity(FIRST_READ);
    let mut first = true;
    loop {
        buffer.clear();
        buffer.reserve(FIRST_READ);
        let read = poll_fn(|cx| poll_read_buf(Pin::new(&mut *socket), cx, &mut buffer)).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Methods begin with a letter.
        if first && buffer[0] != HANDSHAKE && buffer[0].is_ascii_alphabetic() {
            return Ok(Hello::Plain);
        }
        first = false;
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(Hello::Tls(Box::new(accepted))),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                // Best effort: the client is to learn why, but it may have left.
                let _ = socket.write_all(&bytes).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

/// Tells a client that this is not the place for plain HTTP.
pub(super) async fn refuse_plain<S: AsyncWrite + Unpin>(socket: &mut S) {
    let text = "400 Bad Request\nthis listener speaks TLS: ask for https://\n";
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // Best effort, as above.
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.shutdown().await;
}
