//! One end of one connection, ours: what is sent is exactly what the test wrote.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::PATIENCE;
use super::message::{Head, Message, field, latin1};
use super::stream::Stream;

/// A connection with a reader of messages on top. Reads that get nothing within [`PATIENCE`] fail
/// the test and show what came before.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    received: Vec<u8>,
    /// How much of `received` was already handed out.
    read: usize,
}

impl Wire {
    /// Takes over a connected socket.
    pub fn of(stream: Stream) -> Self {
        stream.set_timeouts(PATIENCE);
        Self { stream, received: Vec::new(), read: 0 }
    }

    /// Takes the limit off reads: for backends, whose connections may idle as long as they like.
    pub fn waits_forever(&self) {
        self.stream.set_read_timeout(None);
    }

    /// Connects to `127.0.0.1:80`, `[::1]:80` or `unix:/path`.
    #[track_caller]
    pub fn to(address: &str) -> Self {
        let stream = match address.strip_prefix("unix:") {
            Some(path) => UnixStream::connect(path).map(Stream::Unix),
            None => TcpStream::connect(address).map(Stream::Tcp),
        };
        Self::of(stream.unwrap_or_else(|e| panic!("cannot connect to {address}: {e}")))
    }

    /// Takes over a connected TCP socket.
    pub fn of_tcp(stream: TcpStream) -> Self {
        Self::of(Stream::Tcp(stream))
    }

    /// Connects over IPv4 with a receive buffer so small that a slow reader is felt at once.
    #[track_caller]
    pub fn narrow_to(address: &str) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
        let to: std::net::SocketAddr = address.parse().expect("an address");
        socket.connect(&to.into()).expect("a connection");
        Self::of(Stream::Tcp(socket.into()))
    }

    /// Sends all of it; fails the test when the other side does not take it.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the other side takes what is sent");
    }

    /// Sends all of it, or says why not.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Gives the socket back. What was read already and not handed out is lost.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// What was agreed on, at a client's end of TLS.
    #[track_caller]
    pub fn tls(&self) -> &rustls::ClientConnection {
        match &self.stream {
            Stream::TlsClient(stream) => &stream.conn,
            other => panic!("no client's end of TLS: {other:?}"),
        }
    }

    /// What was agreed on, at a server's end of TLS.
    #[track_caller]
    pub fn tls_server(&self) -> &rustls::ServerConnection {
        match &self.stream {
            Stream::TlsServer(stream) => &stream.conn,
            other => panic!("no server's end of TLS: {other:?}"),
        }
    }

    /// Sends `block` again and again until the other side takes no more for half a second, at
    /// most `limit` bytes; how many went out.
    pub fn flood(&mut self, block: &[u8], limit: usize) -> usize {
        self.stream.set_timeouts(Duration::from_millis(500));
        let mut sent = 0;
        while sent < limit {
            let part = &block[sent % block.len()..];
            match self.stream.write(&part[..part.len().min(limit - sent)]) {
                Ok(n) => sent += n,
                Err(e) if is_timeout(&e) => break,
                Err(e) => panic!("broke after {sent} bytes: {e}"),
            }
        }
        self.stream.set_timeouts(PATIENCE);
        sent
    }

    /// The next head; fails the test when the connection closes before its end.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        match self.try_head() {
            Some(head) => head,
            None => panic!("closed inside a head: {:?}", latin1(self.unread())),
        }
    }

    /// The next head; none when the connection closes before its end.
    #[track_caller]
    pub fn try_head(&mut self) -> Option<Head> {
        let end = loop {
            let end = self.unread().windows(4).position(|w| w == b"\r\n\r\n");
            match end {
                Some(at) => break at + 4,
                None if self.fill() => {}
                None => return None,
            }
        };
        Some(Head::of(self.bytes(end)))
    }

    /// The next request, whole.
    #[track_caller]
    pub fn request(&mut self) -> Message {
        let head = self.head();
        let message = self.body_of(head, false);
        assert!(!message.cut, "the request was cut: {message:?}");
        message
    }

    /// The next request, whole; none when the connection ended instead.
    #[track_caller]
    pub fn try_request(&mut self) -> Option<Message> {
        let head = self.try_head()?;
        Some(self.body_of(head, false)).filter(|m| !m.cut)
    }

    /// The next answer (to anything but HEAD), whole. A 1xx counts as one.
    #[track_caller]
    pub fn answer(&mut self) -> Message {
        let message = self.answer_or_cut();
        assert!(!message.cut, "the answer was cut: {message:?}");
        message
    }

    /// The next answer; `cut` says whether it ended before its time.
    #[track_caller]
    pub fn answer_or_cut(&mut self) -> Message {
        let head = self.head();
        self.body_of(head, true)
    }

    /// The next answer, `cut` or whole; none when the connection ends before its head does.
    #[track_caller]
    pub fn try_answer(&mut self) -> Option<Message> {
        let head = self.try_head()?;
        Some(self.body_of(head, true))
    }

    /// The next answer to a HEAD request: it has no body, whatever its fields say.
    #[track_caller]
    pub fn answer_to_head(&mut self) -> Message {
        Message { head: self.head(), ..Message::default() }
    }

    #[track_caller]
    fn body_of(&mut self, head: Head, answer: bool) -> Message {
        let mut message = Message { head, ..Message::default() };
        let bodiless = answer && matches!(message.status(), 100..=199 | 204 | 304);
        if bodiless {
            return message;
        }
        if message.field("transfer-encoding").eq_ignore_ascii_case("chunked") {
            message.cut = self.chunks_into(&mut message).is_none();
        } else if let [length] = message.all("content-length")[..] {
            let length = length.parse().unwrap_or_else(|_| panic!("bad length in {:?}", message.head));
            while self.unread().len() < length && self.fill() {}
            message.cut = self.unread().len() < length;
            message.body = self.bytes(length.min(self.unread().len()));
        } else if answer {
            message.body = self.rest();
        }
        message
    }

    /// Reads chunks and trailers; none when the connection ends before they do.
    #[track_caller]
    fn chunks_into(&mut self, message: &mut Message) -> Option<()> {
        while let Some(size) = Some(self.chunk_size()?).filter(|size| *size > 0) {
            while self.unread().len() < size + 2 {
                if !self.fill() {
                    message.body.extend(self.bytes(self.unread().len().min(size)));
                    return None;
                }
            }
            message.body.extend(self.bytes(size));
            assert_eq!(self.bytes(2), b"\r\n", "a chunk ends with CRLF");
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(());
            }
            message.trailers.push(field(&line));
        }
    }

    /// The next chunk's content; empty for the last one.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        let size = self.chunk_size().expect("one more chunk");
        let content = self.bytes(size);
        assert_eq!(self.bytes(2), b"\r\n", "a chunk ends with CRLF");
        content
    }

    #[track_caller]
    fn chunk_size(&mut self) -> Option<usize> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default();
        Some(usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}")))
    }

    /// The next line without its end; none when the connection ends first.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.unread().windows(2).position(|w| w == b"\r\n") {
                let line = latin1(&self.bytes(at));
                self.bytes(2);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// The next `count` bytes, exactly.
    #[track_caller]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.unread().len() < count {
            assert!(self.fill(), "closed before {count} bytes: {:?}", latin1(self.unread()));
        }
        let bytes = self.unread()[..count].to_vec();
        self.read += count;
        bytes
    }

    /// The next `count` bytes; none when the connection ends first.
    #[track_caller]
    pub fn try_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread().len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.bytes(count))
    }

    /// Everything up to the close.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        self.bytes(self.unread().len())
    }

    /// Whether the other side closes (or resets) without sending anything more. Waits for either.
    #[track_caller]
    pub fn closes(&mut self) -> bool {
        self.unread().is_empty() && !self.fill()
    }

    /// Whether nothing has arrived and the connection is open, at this moment.
    pub fn is_quiet(&mut self) -> bool {
        self.stream.set_timeouts(Duration::from_millis(1));
        let got = self.stream.read(&mut [0; 1]);
        self.stream.set_timeouts(PATIENCE);
        self.unread().is_empty() && got.is_err_and(|e| is_timeout(&e))
    }

    /// Sends the end (FIN) and keeps reading.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("an open connection");
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let Stream::Tcp(stream) = self.stream else { return };
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }

    /// Another handle of the same socket, to end it from elsewhere.
    pub fn handle(&self) -> Stream {
        self.stream.clone_handle()
    }

    fn unread(&self) -> &[u8] {
        &self.received[self.read..]
    }

    /// Reads some more; false at the end of the connection, by close or reset.
    #[track_caller]
    fn fill(&mut self) -> bool {
        if self.read == self.received.len() {
            self.received.clear();
            self.read = 0;
        }
        let mut block = [0; 16 * 1024];
        match self.stream.read(&mut block) {
            Ok(n) => {
                self.received.extend_from_slice(&block[..n]);
                n > 0
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            // TLS that ends without a goodbye, or with an alert.
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => false,
            Err(e) => panic!("{e} after {:?}", latin1(self.unread())),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
