//! Simulated backends: each answers when a real one would have done the work.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout_at;

use super::super::error::{Doing, Error};
use super::cores::Cores;
use super::late::Late;
use super::scenario::Setup;

/// When the run began; the fleets stand before it does.
pub(super) type Start = Arc<OnceLock<Instant>>;

const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
const WORKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The backends of one policy, in a thread of their own. They live until the process ends.
#[derive(Debug)]
pub(super) struct Fleet {
    addresses: Vec<SocketAddr>,
}

impl Fleet {
    /// Answers count as `late` from when the work was done.
    pub(super) fn start(setup: Setup, begins: &Start, late: &Arc<Late>) -> Result<Self, Error> {
        let bind = |_| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let bound: Result<Vec<_>, std::io::Error> = (0..setup.backends).map(bind).collect();
        let (addresses, listeners) = bound.doing("start the backends")?.into_iter().unzip();
        let (begins, late) = (Arc::clone(begins), Arc::clone(late));
        thread::spawn(move || serve(setup, &begins, &late, listeners));
        Ok(Self { addresses })
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// One backend.
struct Server {
    fails: bool,
    cores: RefCell<Cores<oneshot::Sender<()>>>,
    /// Told when something came that may be done earlier than what was there.
    came: Notify,
    begins: Start,
    late: Arc<Late>,
}

fn serve(setup: Setup, begins: &Start, late: &Arc<Late>, listeners: Vec<TcpListener>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let local = LocalSet::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let server = Rc::new(Server {
            fails: setup.fails(number),
            cores: RefCell::new(Cores::new(setup, number)),
            came: Notify::new(),
            begins: Arc::clone(begins),
            late: Arc::clone(late),
        });
        let worker = Rc::clone(&server);
        local.spawn_local(async move { worker.work().await });
        local.spawn_local(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                let server = Rc::clone(&server);
                spawn_local(async move { server.connection(stream).await });
            }
        });
    }
    runtime.block_on(local);
}

impl Server {
    /// Serves one connection after the other request; what is wrong with it ends it.
    async fn connection(&self, mut stream: TcpStream) -> Option<()> {
        let mut head = Vec::new();
        stream.set_nodelay(true).ok()?;
        loop {
            head.clear();
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.ok()? == 0 {
                    return None;
                }
            }
            stream.write_all(self.answer(&head).await).await.ok()?;
        }
    }

    async fn answer(&self, head: &[u8]) -> &'static [u8] {
        let (Some(work), false) = (work(head), self.fails) else { return FAILED };
        let (done, answer) = oneshot::channel();
        self.catch_up();
        self.cores.borrow_mut().begin(work, done);
        self.came.notify_one();
        if answer.await.is_ok() { WORKED } else { FAILED }
    }

    /// Ends what ends, when it does.
    async fn work(&self) {
        loop {
            self.catch_up();
            let next = self.cores.borrow().next();
            let came = self.came.notified();
            // Whether something comes or the time is there: what to do next is looked up again.
            match next.zip(self.begins.get()) {
                Some((next, begun)) => {
                    let _ = timeout_at((*begun + Duration::from_secs_f64(next)).into(), came).await;
                }
                None => came.await,
            }
        }
    }

    fn catch_up(&self) {
        let now = self.begins.get().map_or(0.0, |begun| begun.elapsed().as_secs_f64());
        self.cores.borrow_mut().end(now, |done, at| {
            self.late.note(Duration::from_secs_f64((now - at).max(0.0)));
            // Who asked may have gone in the meantime.
            let _ = done.send(());
        });
    }
}

/// The work of a request, seconds: it stands in the path, so that it is the same for each policy.
fn work(head: &[u8]) -> Option<f64> {
    let path = head.split(|byte| *byte == b' ').nth(1)?;
    let micros: f64 = str::from_utf8(path.get(1..)?).ok()?.parse().ok()?;
    Some(micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::work;

    #[test]
    fn the_work_stands_in_the_path() {
        assert!(work(b"GET /2500 HTTP/1.1\r\n\r\n").is_some_and(|work| (work - 0.0025).abs() < 1e-9));
        assert_eq!(work(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
