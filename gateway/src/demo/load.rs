//! Clients that ask, wait for the answer, and ask again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::backends::{KINDS, NAME};
use super::dice::Dice;
use super::tally::{Reading, Tally};

/// How many clients there are, each with one connection.
pub(super) const CLIENTS: u8 = 24;
/// How many different pages they ask for.
const PAGES: u32 = 100;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between a failure and the next connection.
const PAUSE: Duration = Duration::from_millis(20);

/// Running clients. Dropping it lets them finish what they have begun.
pub(super) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    gateway: SocketAddr,
    over: AtomicBool,
    /// One thread writes and one reads ten times a second: a lock does not hurt.
    tally: Mutex<Tally>,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Numbers are consistent after every line.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Starts the clients of the gateway at this address.
    ///
    /// # Errors
    /// No thread.
    pub(super) fn start(gateway: SocketAddr) -> io::Result<Self> {
        let tally = Mutex::new(Tally::new().map_err(io::Error::other)?);
        let shared = Arc::new(Shared { gateway, over: AtomicBool::new(false), tally });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clients = Arc::clone(&shared);
        let thread = thread::Builder::new().name("load".into()).spawn(move || {
            runtime.block_on(async {
                let asking: Vec<_> = (1..=CLIENTS)
                    .map(|number| tokio::spawn(Client::new(Arc::clone(&clients), number).ask_on()))
                    .collect();
                for client in asking {
                    // A client that panicked has said so on its way out.
                    let _ = client.await;
                }
            });
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Begins a new turn: times are counted from here on.
    pub(super) fn turn(&self) {
        self.shared.tally().turn();
    }

    /// What was seen in this turn so far.
    pub(super) fn read(&self) -> Reading {
        self.shared.tally().read()
    }

    /// Why the first request failed, if one did.
    pub(super) fn complaint(&self) -> Option<String> {
        self.shared.tally().complaint().map(str::to_owned)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Client {
    shared: Arc<Shared>,
    number: u8,
    dice: Dice,
    received: Vec<u8>,
}

impl Client {
    fn new(shared: Arc<Shared>, number: u8) -> Self {
        Self { shared, number, dice: Dice::new(1000 + u64::from(number)), received: Vec::new() }
    }

    /// Asks until all is over. A connection is kept as long as it works.
    async fn ask_on(mut self) {
        while !self.shared.over.load(Relaxed) {
            let why = match self.connect().await {
                Ok(mut stream) => self.ask_along(&mut stream).await,
                Err(error) => Err(error),
            };
            if let Err(why) = why {
                self.shared.tally().failed(why.to_string());
                sleep(PAUSE).await;
            }
        }
    }

    /// Each client comes from a network of its own, for policies that look at addresses. Where the
    /// system does not lend us all of 127.0.0.0/8, they share one.
    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        let _ = socket.bind((Ipv4Addr::new(127, 0, self.number, 1), 0).into());
        let stream = socket.connect(self.shared.gateway).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn ask_along(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while !self.shared.over.load(Relaxed) {
            let turn = self.shared.tally().now();
            let began = Instant::now();
            let asked = timeout(PATIENCE, self.ask(stream)).await;
            let backend = asked.map_err(|_| other(format!("no answer within {PATIENCE:?}")))??;
            self.shared.tally().answered(turn, backend, began.elapsed());
        }
        Ok(())
    }

    /// Sends a request; the number of the backend that has answered it.
    async fn ask(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        let page = self.dice.below(PAGES);
        let request = format!("GET /page/{page} HTTP/1.1\r\nHost: demo\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        self.received.clear();
        loop {
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(other("the gateway has closed the connection"));
            }
            if let Some(backend) = answer(&self.received)? {
                return Ok(backend);
            }
        }
    }
}

/// The backend whose whole answer this is; none while some of it is missing.
fn answer(received: &[u8]) -> io::Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(body) = head.parse(received).map_err(io::Error::other)? else {
        return Ok(None);
    };
    if head.code != Some(200) {
        return Err(other(format!("the gateway answers {}", head.code.unwrap_or_default())));
    }
    let field = |name: &str| {
        let field = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(field.value).ok()
    };
    let length = field("content-length").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| other("an answer does not declare its length"))?;
    let name = field(NAME).ok_or_else(|| other("an answer does not say whose it is"))?;
    let backend = KINDS.iter().position(|kind| kind.name == name);
    let backend = backend.ok_or_else(|| other(format!("an answer comes from nobody's `{name}`")))?;
    Ok((received.len() - body >= length).then_some(backend))
}

fn other(why: impl Into<String>) -> io::Error {
    io::Error::other(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let whole = b"HTTP/1.1 200 OK\r\nX-Backend: slow\r\nContent-Length: 3\r\n\r\nyes";
        assert_eq!(answer(whole).unwrap(), Some(2));
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end]).unwrap(), None, "{end}");
        }
    }

    #[test]
    fn what_is_no_good_answer_says_why() {
        let why = |text: &str| answer(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(why("HTTP/1.1 502 Bad Gateway\r\n\r\n"), "the gateway answers 502");
        assert!(why("HTTP/1.1 200 OK\r\nX-Backend: slow\r\n\r\n").contains("length"));
        assert!(why("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").contains("whose"));
        let stranger = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Backend: x\r\n\r\n";
        assert!(why(stranger).contains("`x`"));
    }
}
