//! The server: its thread, its listeners, its connections.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::Gateway;
use super::pages::{self, Door};
use super::socket::{self, SocketFile};

/// Connections at a time, for each listener.
const CONNECTIONS: usize = 64;
/// Time for the head of a request, also between two requests.
const HEAD: Duration = Duration::from_secs(10);
/// Time that a whole connection from outside may take.
const TCP_CONNECTION: Duration = Duration::from_secs(30);
/// Time that answers under way get when the gateway ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// Pause after a failed accept: most often there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the admin server listens.
#[derive(Debug)]
pub struct Place<'a> {
    /// The control socket.
    pub socket: &'a Path,
    /// A TCP address for the pages.
    pub tcp: Option<SocketAddr>,
    /// A socket that is bound to that address already.
    pub inherited: Option<TcpListener>,
    /// Does this gateway replace one that still listens at the control socket?
    pub succeeds: bool,
}

/// A running admin server. It ends when this is dropped; answers under way (to `/stop`, say) are
/// still sent.
#[derive(Debug)]
pub struct Admin {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    address: Option<SocketAddr>,
    held: Option<TcpListener>,
    _file: SocketFile,
}

impl Admin {
    /// Listens at the unix socket and, if given, at the TCP address (pages only), and serves both
    /// on a thread of its own.
    ///
    /// # Errors
    /// One of them cannot be opened; the text names it and says why. A living gateway at the same
    /// socket is `AddrInUse`.
    pub fn start(place: Place<'_>, gateway: Arc<dyn Gateway>) -> io::Result<Self> {
        let (unix, file) = socket::bind(place.socket, place.succeeds)?;
        let tcp = match place.inherited {
            Some(listener) => Some(listener),
            None => place.tcp.map(bind_tcp).transpose()?,
        };
        let held = tcp.as_ref().map(TcpListener::try_clone).transpose()?;
        let address = tcp.as_ref().map(TcpListener::local_addr).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let (unix, tcp) = {
            let _context = runtime.enter();
            (
                tokio::net::UnixListener::from_std(unix)?,
                tcp.map(tokio::net::TcpListener::from_std).transpose()?,
            )
        };
        let serve = move || {
            runtime.block_on(serve(unix, tcp, gateway, stopped));
            // A reload may still be compiling; nobody waits for it any more.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("admin".into()).spawn(serve)?;
        Ok(Self { stop, thread: Some(thread), address, held, _file: file })
    }

    /// A hold on its TCP socket, if it has one, for a successor.
    ///
    /// # Errors
    /// What the system says.
    pub fn socket(&self) -> io::Result<Option<OwnedFd>> {
        self.held.as_ref().map(|held| held.try_clone().map(OwnedFd::from)).transpose()
    }

    /// The TCP address that it listens at, if any: with its real port.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.held = None;
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin server ended with a panic");
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen at the admin address {address}: {error}"))
    })
}

/// What every connection needs.
#[derive(Clone)]
struct Desk {
    gateway: Arc<dyn Gateway>,
    stopped: watch::Receiver<bool>,
    open: Arc<Semaphore>,
    door: Door,
}

async fn serve(
    unix: tokio::net::UnixListener,
    tcp: Option<tokio::net::TcpListener>,
    gateway: Arc<dyn Gateway>,
    stopped: watch::Receiver<bool>,
) {
    let desk = |door| Desk {
        gateway: Arc::clone(&gateway),
        stopped: stopped.clone(),
        open: Arc::new(Semaphore::new(CONNECTIONS)),
        door,
    };
    let at_socket = accept(desk(Door::Socket), || async { unix.accept().await.map(|(stream, _)| stream) });
    let at_tcp = async {
        if let Some(tcp) = tcp {
            accept(desk(Door::Tcp), || async { tcp.accept().await.map(|(stream, _)| stream) }).await;
        }
    };
    tokio::join!(at_socket, at_tcp);
}

/// Accepts until the gateway ends, then waits a moment for the connections that are open.
async fn accept<S, F>(desk: Desk, next: impl Fn() -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<S>>,
{
    let mut stopped = desk.stopped.clone();
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&desk.open).acquire_owned().await else { return };
            match next().await {
                Ok(stream) => {
                    let desk = desk.clone();
                    tokio::spawn(async move {
                        connection(stream, desk).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin server cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    // Every permit is back when every connection has ended.
    let _ = timeout(FAREWELL, desk.open.acquire_many(CONNECTIONS as u32)).await;
}

async fn connection<S>(stream: S, desk: Desk)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (door, mut stopped) = (desk.door, desk.stopped.clone());
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&desk.gateway);
        async move { Ok::<_, Infallible>(pages::answer(&request, door, &gateway).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let conversation = async {
        let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            // A client that breaks off is nobody's trouble but its own.
            _ = connection.as_mut() => return,
            _ = stopped.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    };
    match door {
        Door::Socket => conversation.await,
        Door::Tcp => {
            let _ = timeout(TCP_CONNECTION, conversation).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Mutex;

    use super::*;

    fn at(socket: &Path, tcp: Option<SocketAddr>) -> Place<'_> {
        Place { socket, tcp, inherited: None, succeeds: false }
    }
    use crate::admin::{Snapshot, Wish, client};

    /// Writes down what it is asked to do, and refuses to reload when told so.
    #[derive(Default)]
    struct Recorder {
        asked: Mutex<Vec<&'static str>>,
        refusal: Option<&'static str>,
        draining: bool,
    }

    impl Recorder {
        fn note(&self, what: &'static str) {
            self.asked.lock().unwrap().push(what);
        }
    }

    impl Gateway for Recorder {
        fn reload(&self) -> Result<String, String> {
            self.note("reload");
            self.refusal.map_or(Ok("generation 2 is in force".into()), |why| Err(why.into()))
        }
        fn stop(&self) {
            self.note("stop");
        }
        fn quit(&self) {
            self.note("quit");
        }
        fn upgrade(&self) -> Result<String, String> {
            Err("no successor".into())
        }

        fn reopen(&self) {
            self.note("reopen");
        }
        fn record(&self, wish: &Wish) -> Result<String, String> {
            self.note("record");
            Ok(wish.query())
        }
        fn explain(&self, wish: &Wish) -> Result<String, String> {
            self.note("explain");
            Err(format!("nobody asked {:?}", wish.upstream))
        }
        fn decide(&self, _: &Wish, promote: bool) -> Result<String, String> {
            self.note(if promote { "promote" } else { "rollback" });
            Ok("done".into())
        }
        fn drain(&self, upstream: &str, backend: &str, drain: bool) -> Result<String, String> {
            self.note(if drain { "drain" } else { "undrain" });
            if upstream == "api" { Ok(format!("{backend}: {drain}")) } else { Err("no such upstream".into()) }
        }
        fn snapshot(&self) -> Snapshot {
            Snapshot { generation: 7, draining: self.draining, ..Snapshot::default() }
        }
    }

    struct Running {
        folder: tempfile::TempDir,
        recorder: Arc<Recorder>,
        admin: Admin,
    }

    fn start(recorder: Recorder) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(recorder);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = folder.path().join("control.sock");
        let admin = Admin::start(at(&socket, Some(any)), Arc::clone(&recorder) as Arc<dyn Gateway>).unwrap();
        Running { folder, recorder, admin }
    }

    impl Running {
        fn post(&self, path: &str) -> (u16, String) {
            let answer = client::post(&self.folder.path().join("control.sock"), path).unwrap();
            (answer.status, answer.text)
        }

        fn get(&self, path: &str) -> (u16, String) {
            let answer = client::get(&self.folder.path().join("control.sock"), path).unwrap();
            (answer.status, answer.text)
        }

        /// Status line, head and body of what the TCP address answers.
        fn tcp(&self, line: &str) -> String {
            let mut stream = TcpStream::connect(self.admin.address().unwrap()).unwrap();
            write!(stream, "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        }
    }

    #[test]
    fn commands_reach_the_gateway() {
        let running = start(Recorder::default());
        assert_eq!(running.post("/reload"), (200, "generation 2 is in force\n".into()));
        for path in ["/reopen", "/quit", "/stop"] {
            assert_eq!(running.post(path).0, 200, "{path}");
        }
        assert_eq!(*running.recorder.asked.lock().unwrap(), ["reload", "reopen", "quit", "stop"]);
    }

    #[test]
    fn a_drain_names_its_backend_in_the_query() {
        let running = start(Recorder::default());
        let drained = running.post("/drain?upstream=api&backend=unix%3A%2Frun%2Fa.sock");
        assert_eq!(drained, (200, "unix:/run/a.sock: true\n".into()));
        assert_eq!(running.post("/undrain?backend=a%3A80&upstream=api"), (200, "a:80: false\n".into()));
        assert_eq!(running.post("/drain?upstream=apu&backend=a"), (422, "no such upstream\n".into()));
        assert_eq!(running.post("/drain?upstream=api").0, 400);
    }

    #[test]
    fn a_refused_reload_tells_the_whole_reason() {
        let why = "error: no upstream `chat`\n  --> gateway.toml:7\n\nerror: no policy `fiar`\n";
        let running = start(Recorder { refusal: Some(why), ..Recorder::default() });
        assert_eq!(running.post("/reload"), (422, why.into()));
    }

    #[test]
    fn state_and_metrics_show_the_snapshot() {
        let running = start(Recorder::default());
        let (status, state) = running.get("/state");
        assert_eq!(status, 200);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&state).unwrap()["generation"], 7);
        assert!(running.get("/metrics").1.contains("\npointsman_generation 7.0\n"));
    }

    #[test]
    fn a_gateway_that_drains_is_not_ready() {
        assert_eq!(start(Recorder::default()).get("/ready"), (200, "ready\n".into()));
        let draining = start(Recorder { draining: true, ..Recorder::default() });
        assert_eq!(draining.get("/ready"), (503, "draining\n".into()));
    }

    #[test]
    fn a_wrong_path_or_method_is_told_what_is_right() {
        let running = start(Recorder::default());
        let (status, text) = running.get("/sate");
        assert_eq!(status, 404);
        assert!(text.contains("nothing at `/sate`") && text.contains("GET   /state"), "{text}");
        assert_eq!(running.get("/reload"), (405, "ask for `/reload` with POST\n".into()));
        assert!(running.recorder.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn the_tcp_address_shows_pages_but_takes_no_commands() {
        let running = start(Recorder::default());
        assert!(running.tcp("GET /ready").starts_with("HTTP/1.1 200 "));
        assert!(!running.tcp("GET /").contains("POST"));
        for path in ["/reload", "/reopen", "/quit", "/stop"] {
            assert!(running.tcp(&format!("POST {path}")).starts_with("HTTP/1.1 403 "), "{path}");
        }
        assert!(running.recorder.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn a_second_gateway_is_refused_and_the_first_goes_on() {
        let running = start(Recorder::default());
        let socket = running.folder.path().join("control.sock");
        let error = Admin::start(at(&socket, None), Arc::new(Recorder::default())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(running.get("/ready").0, 200);
    }

    #[test]
    fn a_taken_tcp_address_is_named_and_leaves_no_socket_behind() {
        let taken = start(Recorder::default());
        let address = taken.admin.address().unwrap();
        let socket = taken.folder.path().join("second.sock");
        let error = Admin::start(at(&socket, Some(address)), Arc::new(Recorder::default())).unwrap_err();
        assert!(error.to_string().contains(&format!("the admin address {address}")), "{error}");
        assert!(!socket.exists());
    }

    #[test]
    fn what_is_wished_for_stands_behind_the_path() {
        let running = start(Recorder::default());
        let wish = Wish { requests: 7, ..Wish::default() };
        assert_eq!(running.post(&format!("/record?{}", wish.query())), (200, wish.query()));
        let (status, why) = running.post("/explain?upstream=a");
        assert_eq!((status, why.trim_end()), (422, "nobody asked Some(\"a\")"));
        assert_eq!(running.post("/record?requests=many").0, 400);
        assert_eq!(running.post("/promote"), (200, "done".into()));
        assert_eq!(running.post("/rollback?upstream=a").0, 200);
        assert_eq!(*running.recorder.asked.lock().unwrap(), ["record", "explain", "promote", "rollback"]);
    }

    #[test]
    fn it_ends_with_its_owner_even_while_a_client_stays() {
        let running = start(Recorder::default());
        let mut idle = TcpStream::connect(running.admin.address().unwrap()).unwrap();
        idle.write_all(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_ne!(idle.read(&mut [0; 16]).unwrap(), 0);
        drop(running.admin);
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).unwrap();
        let error = client::get(&running.folder.path().join("control.sock"), "/ready").unwrap_err();
        assert!(error.to_string().starts_with("no gateway is running"), "{error}");
    }
}
