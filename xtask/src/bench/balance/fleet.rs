//! Simulated backends: each waits as long as a real one would work.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};

use super::super::error::{Doing, Error};
use super::scenario::{SLOTS, Scenario, WORK};

/// When the run began, and how long it takes; the fleets stand before it does.
pub(super) type Start = Arc<OnceLock<(Instant, Duration)>>;

const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
const WORKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The backends of one policy, in a thread of their own. They live until the process ends.
#[derive(Debug)]
pub(super) struct Fleet {
    addresses: Vec<SocketAddr>,
}

impl Fleet {
    pub(super) fn start(scenario: Scenario, begins: &Start) -> Result<Self, Error> {
        let bind = |_| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let bound: Result<Vec<_>, std::io::Error> = (0..scenario.backends()).map(bind).collect();
        let (addresses, listeners) = bound.doing("start the backends")?.into_iter().unzip();
        let begins = Arc::clone(begins);
        thread::spawn(move || serve(scenario, &begins, listeners));
        Ok(Self { addresses })
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// One backend.
struct Server {
    scenario: Scenario,
    number: usize,
    slots: Semaphore,
    begins: Start,
}

fn serve(scenario: Scenario, begins: &Start, listeners: Vec<TcpListener>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let local = LocalSet::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let slots = Semaphore::new(SLOTS);
        let server = Rc::new(Server { scenario, number, slots, begins: Arc::clone(begins) });
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
        if self.scenario.fails(self.number) {
            return FAILED;
        }
        let Ok(_slot) = self.slots.acquire().await else { return FAILED };
        tokio::time::sleep(Duration::from_secs_f64(work(head) / self.speed())).await;
        WORKED
    }

    fn speed(&self) -> f64 {
        let Some((begun, length)) = self.begins.get() else { return 1.0 };
        let seconds = begun.elapsed().as_secs_f64();
        self.scenario.speed(self.number, seconds / length.as_secs_f64(), seconds)
    }
}

/// The work of a request, seconds: it stands in the path, so that it is the same for each policy.
fn work(head: &[u8]) -> f64 {
    let path = head.split(|byte| *byte == b' ').nth(1);
    let micros = path.and_then(|path| str::from_utf8(path.get(1..)?).ok()?.parse::<f64>().ok());
    micros.map_or(WORK, |micros| micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::{WORK, work};

    #[test]
    fn the_work_stands_in_the_path() {
        assert!((work(b"GET /2500 HTTP/1.1\r\n\r\n") - 0.0025).abs() < 1e-9);
        assert!((work(b"GET / HTTP/1.1\r\n\r\n") - WORK).abs() < 1e-9);
    }
}
