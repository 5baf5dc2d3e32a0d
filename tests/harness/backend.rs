//! A backend that answers by itself, on as many connections as it is given.

use std::fmt::{self, Display, Formatter};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use super::stream::Stream;
use super::wire::Wire;
use super::{Message, PATIENCE, eventually};

type Reply = dyn Fn(&Message) -> Vec<u8> + Send + Sync;

/// A backend that answers each request with its name (or as its closure says) and remembers what
/// it was asked. A request for a path that begins with `/held` waits for [`Backend::release`].
///
/// Displays as its address, so it can stand where the configuration wants one. A panic in it
/// fails the test when it is dropped.
pub struct Backend {
    /// What `X-Backend` says.
    pub name: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    reply: Box<Reply>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Message>,
    connections: Vec<Stream>,
    accepted: usize,
    open: usize,
    waiting: usize,
    releases: usize,
    stopped: bool,
    panics: Vec<String>,
}

/// Backends that answer 200 with their names.
pub fn backends<const N: usize>(names: [&'static str; N]) -> [Backend; N] {
    names.map(|name| backend(name, move |_| ok(name)))
}

/// A backend that answers with the bytes that `reply` makes. It closes the connection after an
/// answer that says `Connection: close`, and instead of one that has no bytes.
pub fn backend(name: &str, reply: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Backend {
    let shared = Shared { reply: Box::new(reply), seen: Mutex::default(), changed: Condvar::new() };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut backend = Backend {
        name: name.to_owned(),
        address: listener.local_addr().expect("an address"),
        shared: Arc::new(shared),
        acceptor: None,
    };
    backend.listen(listener);
    backend
}

/// The answer of a backend that is well: 200, its name as a field and as the body.
pub fn ok(name: &str) -> Vec<u8> {
    with_body(name, name)
}

/// The same with another body.
pub fn with_body(name: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nX-Backend: {name}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

impl Backend {
    /// What it was asked, in order of arrival.
    pub fn requests(&self) -> Vec<Message> {
        self.shared.seen().requests.clone()
    }

    /// How many requests it got.
    pub fn hits(&self) -> usize {
        self.shared.seen().requests.len()
    }

    /// The one request it got; fails the test when there were none or several.
    #[track_caller]
    pub fn only_request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "requests at {}: {requests:#?}", self.name);
        requests.remove(0)
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.seen().accepted
    }

    /// How many connections to it are open.
    pub fn open_connections(&self) -> usize {
        self.shared.seen().open
    }

    /// Waits until `count` requests are held here.
    #[track_caller]
    pub fn holds(&self, count: usize) {
        eventually(&format!("{} holds {count}", self.name), || self.shared.seen().waiting == count);
    }

    /// How many requests are held here now.
    pub fn held(&self) -> usize {
        self.shared.seen().waiting
    }

    /// Lets go all requests that are held.
    pub fn release(&self) {
        self.shared.seen().releases += 1;
        self.shared.changed.notify_all();
    }

    /// Goes away like a process that was killed: refuses connections, cuts those it has.
    pub fn stop(&mut self) {
        self.shared.seen().stopped = true;
        self.shared.changed.notify_all();
        // The acceptor wakes up, sees that it is over and closes the listener.
        let _ = std::net::TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("an acceptor does not panic");
        }
        for connection in self.shared.seen().connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Comes back at the same address.
    pub fn restart(&mut self) {
        self.shared.seen().stopped = false;
        self.listen(TcpListener::bind(self.address).expect("the old port is free"));
    }

    /// An entry for the configuration with more keys: `a.entry("weight = 5")`.
    pub fn entry(&self, keys: &str) -> String {
        format!("{{ address = \"{self}\", {keys} }}")
    }

    fn listen(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.acceptor = Some(std::thread::spawn(move || accept(&listener, &shared)));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        let wire = Wire::of(Stream::Tcp(stream));
        let mut seen = shared.seen();
        if seen.stopped {
            return;
        }
        seen.accepted += 1;
        seen.open += 1;
        seen.connections.push(wire.handle());
        drop(seen);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || shared.serve_and_tell(wire));
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn serve_and_tell(&self, wire: Wire) {
        let handle = wire.handle();
        let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.serve(wire)));
        // Other handles of the socket are kept for `stop`: dropping ours would not close it.
        let _ = handle.shutdown(Shutdown::Both);
        self.seen().open -= 1;
        if let Err(panic) = served {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()));
            self.seen().panics.push(text.unwrap_or_default());
        }
    }

    fn serve(&self, mut wire: Wire) {
        wire.waits_forever();
        while let Some(request) = wire.try_request() {
            self.seen().requests.push(request.clone());
            if request.target().starts_with("/held") && !self.wait_for_release() {
                return;
            }
            let mut reply = (self.reply)(&request);
            if request.method() == "HEAD" {
                let head = reply.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |end| end + 4);
                reply.truncate(head);
            }
            let last =
                reply.is_empty() || reply.windows(17).any(|w| w.eq_ignore_ascii_case(b"Connection: close"));
            if wire.try_send(reply).is_err() || last {
                return;
            }
        }
    }

    /// Waits; false when the backend stops instead.
    fn wait_for_release(&self) -> bool {
        let mut seen = self.seen();
        let before = seen.releases;
        seen.waiting += 1;
        let over = |seen: &mut Seen| seen.releases == before && !seen.stopped;
        let waited = self.changed.wait_timeout_while(seen, PATIENCE * 4, over);
        let mut seen = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        seen.waiting -= 1;
        !seen.stopped
    }
}

impl Display for Backend {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop();
        let panics = std::mem::take(&mut self.shared.seen().panics);
        if !std::thread::panicking() {
            assert!(panics.is_empty(), "backend {} failed: {panics:#?}", self.name);
        }
    }
}
