//! Three servers in this process that take their time.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use super::dice::Dice;

/// The header field in which a backend says its name.
pub(super) const NAME: &str = "x-backend";

/// Pause after a failed accept: most often there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// What a backend is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// What it is called.
    pub(super) name: &'static str,
    /// What a request takes there, milliseconds, a quarter more or less.
    pub(super) time: u64,
    /// So many requests at a time; further ones wait in turn.
    pub(super) slots: usize,
}

/// How many there are.
pub(super) const COUNT: usize = 3;

/// All of them. Together they serve about 2,000 requests a second, the slow one 80 of them: what a
/// policy makes of that is what the demo shows.
pub(super) const KINDS: [Kind; COUNT] = [
    Kind { name: "fast", time: 4, slots: 6 },
    Kind { name: "middle", time: 8, slots: 4 },
    Kind { name: "slow", time: 24, slots: 2 },
];

/// Starts them, for as long as the process lives; their addresses.
///
/// # Errors
/// No free port, or no thread.
pub(super) fn start() -> io::Result<[SocketAddr; COUNT]> {
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); COUNT];
    let mut listeners = Vec::new();
    for address in &mut addresses {
        let listener = StdTcpListener::bind(*address)?;
        listener.set_nonblocking(true)?;
        *address = listener.local_addr()?;
        listeners.push(listener);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _context = runtime.enter();
        let register = listeners.into_iter().map(TcpListener::from_std);
        register.collect::<io::Result<Vec<_>>>()?
    };
    thread::Builder::new().name("backends".into()).spawn(move || {
        LocalSet::new().block_on(&runtime, async {
            for (seed, (listener, kind)) in listeners.into_iter().zip(KINDS).enumerate() {
                spawn_local(Rc::new(Backend::new(kind, seed as u64)).accept(listener));
            }
            std::future::pending::<()>().await;
        });
    })?;
    Ok(addresses)
}

struct Backend {
    kind: Kind,
    slots: Semaphore,
    dice: RefCell<Dice>,
}

impl Backend {
    fn new(kind: Kind, seed: u64) -> Self {
        Self { kind, slots: Semaphore::new(kind.slots), dice: RefCell::new(Dice::new(seed)) }
    }

    async fn accept(self: Rc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(spawn_local(Rc::clone(&self).serve(stream))),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn serve(self: Rc<Self>, stream: TcpStream) {
        // An answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let answer = service_fn(async |_| Ok::<_, Infallible>(self.answer().await));
        // A client that breaks off is the client's affair.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(&self) -> Response<Full<Bytes>> {
        let _slot = self.slots.acquire().await;
        let time = self.dice.borrow_mut().around(Duration::from_millis(self.kind.time));
        sleep(time).await;
        let Kind { name, time, slots } = self.kind;
        let text =
            format!("{name} has answered (a request takes it {time} ms; it serves {slots} at a time)\n");
        let mut answer = Response::new(Full::new(Bytes::from(text)));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(NAME, HeaderValue::from_static(name));
        answer
    }
}
