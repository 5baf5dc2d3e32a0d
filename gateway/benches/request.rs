//! A whole request without a network: a client's bytes in, through `listen` and `forward`, with a
//! pick and an attempt, to a backend, and the backend's answer out again.
//!
//! Client, gateway and backends share one thread and one runtime, as a worker has it. The client
//! writes to memory; behind the gateway are socket pairs, planted into its pool of idle
//! connections. Each exchange is measured three times:
//!
//! | name | what stands between client and backend |
//! |---|---|
//! | `round_robin` | the gateway, asking an instance of that policy |
//! | `fallback` | the gateway without an instance: the difference is what the policy costs |
//! | `direct` | a socket pair: what client, backend and kernel cost without any gateway |
//!
//! Times are CPU time of the thread, the kernel's part included. There is no access log. Run with
//! `cargo bench --bench request`.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use pointsman::forward::{Forward, Generation, InForce, Route, Traffic, Upstream, Worker};
use pointsman::listen::{self, Desk};
use pointsman::policy::{Birth, Engine, Limits, Picker, Policy, Roster, Rules};
use pointsman::route::{HostPattern, PathPattern, Table};
use pointsman::stats::clock;
use pointsman::upstream::health::Health;
use pointsman::upstream::http1::Connection;
use pointsman::upstream::{self, Address, Backend, Candidates, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::UnixStream;
use tokio::runtime::LocalRuntime;
use tokio::task::spawn_local;

// The gateway's own; a request allocates.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BACKENDS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Bytes that fit between client and gateway: more than any answer, so that no write waits.
const ROOM: usize = 256 * 1024;
/// What every answer ends with.
const LAST: &[u8] = b" and that is all\n";

const PLAIN: &str = "Host: shop.example\r\nUser-Agent: bench/1\r\nAccept: */*\r\n";
const BROWSER: &str = "Host: shop.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://shop.example/catalogue?page=3&sort=price\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0f8fad5bd9cb469fa16570867728950e; theme=dark; consent=functional%2Canalytics; basket=3\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-User: ?1\r\n\
    If-None-Match: \"5e7c3-6114d0a8\"\r\n\
    Priority: u=0, i\r\n\
    DNT: 1\r\n";

/// A request, and the answer that backends have for it.
struct Exchange {
    name: &'static str,
    request: Vec<u8>,
    /// What the request ends with, by which a backend knows that it has all of it.
    end: &'static [u8],
    answer: Vec<u8>,
}

impl Exchange {
    fn get(name: &'static str, fields: &str, answer: usize) -> Self {
        let request = format!("GET /catalogue/item?id=4711 HTTP/1.1\r\n{fields}\r\n");
        Self { name, request: request.into(), end: b"\r\n\r\n", answer: answer_of(answer) }
    }

    fn post(name: &'static str, body: usize, answer: usize) -> Self {
        let end = b"&done=1";
        let mut request =
            format!("POST /order HTTP/1.1\r\n{PLAIN}Content-Length: {body}\r\n\r\n").into_bytes();
        request.resize(request.len() + body - end.len(), b'p');
        request.extend_from_slice(end);
        Self { name, request, end, answer: answer_of(answer) }
    }

    fn all() -> [Self; 4] {
        [
            Self::get("get", PLAIN, 128),
            Self::get("browser", BROWSER, 128),
            Self::post("post_1k", 1024, 128),
            Self::get("get_64k", PLAIN, 64 * 1024),
        ]
    }
}

/// An answer with a body of `length` bytes.
fn answer_of(length: usize) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    answer.resize(answer.len() + length - LAST.len(), b'x');
    answer.extend_from_slice(LAST);
    answer
}

/// A backend that gives the answer to every request, until the other side hangs up.
async fn answer_all(mut stream: UnixStream, exchange: Rc<Exchange>) {
    let mut request = Vec::with_capacity(ROOM);
    while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        if request.ends_with(exchange.end) {
            request.clear();
            stream.write_all(&exchange.answer).await.expect("the answer is taken");
        }
    }
}

/// A connection to a new backend.
fn backend_for(exchange: &Rc<Exchange>) -> UnixStream {
    let (near, far) = UnixStream::pair().expect("a socket pair");
    spawn_local(answer_all(far, Rc::clone(exchange)));
    near
}

/// A client that asks the same again and again, on one connection.
struct Client<S> {
    stream: S,
    exchange: Rc<Exchange>,
    answer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S, exchange: &Rc<Exchange>) -> Self {
        Self { stream, exchange: Rc::clone(exchange), answer: Vec::with_capacity(ROOM) }
    }

    /// Sends the request and waits for the whole answer, which must be the backend's.
    async fn ask(&mut self) {
        self.stream.write_all(&self.exchange.request).await.expect("the request is taken");
        self.answer.clear();
        while !self.answer.ends_with(LAST) {
            let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
            let fine = read > 0 && self.answer.starts_with(b"HTTP/1.1 200 ");
            assert!(fine, "{}", String::from_utf8_lossy(&self.answer));
        }
    }

    fn measure(&mut self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, runtime: &LocalRuntime) {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                runtime.block_on(async {
                    let began = ThreadTime::now();
                    for _ in 0..rounds {
                        self.ask().await;
                    }
                    began.elapsed()
                })
            });
        });
    }
}

/// One worker with one route to one upstream.
struct Gateway {
    worker: Rc<Worker>,
    roster: Arc<Roster>,
}

impl Gateway {
    /// Without a policy the fallback picks.
    fn new(policy: Option<&Arc<Policy>>) -> Self {
        let upstream = upstream();
        let (name, stats) = (Arc::clone(&upstream.name), Arc::clone(&upstream.stats));
        let roster = Arc::new(Roster::new(Arc::clone(&name), Rules::default(), 1));
        let candidates = Arc::new(Candidates::of(name, stats, &upstream.backends));
        let instance = policy.map(|policy| {
            // The machine may be busy with something else for longer than a pick's usual budget.
            let limits = Limits { pick: Duration::from_secs(1), ..Limits::default() };
            let candidates = Arc::clone(&candidates);
            let birth = Birth { options: "{}", candidates, seed: 1, state: None, limits };
            policy.instantiate(birth).expect("an instance")
        });
        let sink = Arc::new(|ended| panic!("the policy failed: {ended:?}"));
        let picker = Picker::new(candidates, instance, Arc::clone(&roster), 0, 1, sink);
        let in_force = InForce::new(Arc::new(generation(upstream)), vec![picker]);
        Self { worker: Worker::new(in_force, None, Arc::<Traffic>::default(), 1), roster }
    }

    /// Makes each backend of the upstream one that answers like this.
    fn plant(&self, exchange: &Rc<Exchange>) {
        let upstream = &self.worker.in_force().generation.upstreams[0];
        for backend in &upstream.backends {
            let connection = Box::new(Connection::new(Stream::Unix(backend_for(exchange))));
            self.worker.pools.put(backend.slot, connection, upstream.settings.idle_connections, clock::now());
        }
    }

    /// The client's end of a new connection.
    fn connect(&self) -> impl AsyncRead + AsyncWrite + Unpin {
        let settings = listen::Settings {
            header_timeout: MINUTE,
            idle_timeout: MINUTE,
            send_timeout: MINUTE,
            max_requests: u64::MAX,
            max_head: 32 * 1024,
            capacity: Default::default(),
            trust: Default::default(),
        };
        let desk = Desk {
            address: listen::Address::Tcp(SocketAddr::from(([198, 51, 100, 1], 80))),
            terminator: Arc::default(),
            local: Some(SocketAddr::from(([198, 51, 100, 1], 80))),
            settings: Rc::new(RefCell::new(Rc::new(settings))),
            alarms: Rc::clone(&self.worker.alarms),
            registry: Rc::clone(&self.worker.registry),
            handler: Forward(Rc::clone(&self.worker)),
        };
        let (near, far) = duplex(ROOM);
        desk.receive(far, Some(SocketAddr::from(([192, 0, 2, 77], 40_000))));
        near
    }
}

fn upstream() -> Upstream {
    // Nobody listens there: a request that needs another connection than those planted fails.
    let nowhere = |slot| Address::Unix(format!("/nonexistent/{slot}.sock").into());
    let backend = |slot| Arc::new(Backend::new(&format!("10.0.0.{slot}:8080"), nowhere(slot), slot));
    let settings = upstream::Settings {
        connect_timeout: MINUTE,
        send_timeout: MINUTE,
        read_timeout: MINUTE,
        idle_connections: 64,
        idle_timeout: 60 * MINUTE,
        ..upstream::Settings::default()
    };
    Upstream {
        name: "bench".into(),
        policy: "round_robin".into(),
        settings,
        backends: (0..BACKENDS).map(backend).collect(),
        stats: Arc::default(),
        health: Arc::new(Health::new("bench".into(), crossbeam_channel::bounded(1).0)),
        queue: Arc::default(),
        hash_key: None,
        redirect: None,
        sticky: None,
    }
}

fn generation(upstream: Upstream) -> Generation {
    let route = Route { max_body: 1 << 20, ..Route::to_upstream("every host /", 0) };
    let mut routes = Table::default();
    routes.insert(HostPattern::Any, PathPattern::Prefix("/".into()), Arc::new(route));
    Generation {
        number: 1,
        routes,
        upstreams: Box::new([upstream]),
        body_timeout: MINUTE,
        explain: false,
        time_picks: false,
        keep_answer_headers: false,
        error_pages: None,
        limits: Default::default(),
    }
}

fn round_robin(engine: &Engine) -> Arc<Policy> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/dist/round_robin.wasm");
    let bytes = std::fs::read(path).expect("the component");
    Policy::load(engine, "round_robin", &bytes).expect("a policy")
}

fn runtime() -> LocalRuntime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build_local(Default::default()).expect("a runtime")
}

/// Through the gateway; says so if it is not picked by what should pick.
fn through(group: &mut BenchmarkGroup<'_, WallTime>, exchange: &Rc<Exchange>, policy: Option<&Arc<Policy>>) {
    let runtime = runtime();
    let gateway = Gateway::new(policy);
    let mut client = runtime.block_on(async {
        gateway.plant(exchange);
        let mut client = Client::new(gateway.connect(), exchange);
        client.ask().await;
        client
    });
    let picked = gateway.roster.snapshot().totals;
    let expected = if policy.is_some() { (1, 0) } else { (0, 1) };
    assert_eq!((picked.picks, picked.fallbacks), expected, "picks and fallbacks of one request");
    client.measure(group, policy.map_or("fallback", |policy| policy.name()), &runtime);
}

fn direct(group: &mut BenchmarkGroup<'_, WallTime>, exchange: &Rc<Exchange>) {
    let runtime = runtime();
    let mut client = runtime.block_on(async { Client::new(backend_for(exchange), exchange) });
    client.measure(group, "direct", &runtime);
}

fn requests(criterion: &mut Criterion) {
    let engine = Engine::new().expect("an engine");
    Engine::prepare_thread();
    let policy = round_robin(&engine);
    for exchange in Exchange::all().map(Rc::new) {
        let mut group = criterion.benchmark_group(format!("request/{}", exchange.name));
        through(&mut group, &exchange, Some(&policy));
        through(&mut group, &exchange, None);
        direct(&mut group, &exchange);
        group.finish();
    }
}

fn steady() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3))
}

criterion_group! { name = benches; config = steady(); targets = requests }
criterion_main!(benches);
