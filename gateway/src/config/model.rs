//! The configuration as the gateway uses it: values that cannot be wrong.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode};
use serde_json::{Map, Value};

use super::place::Place;
use crate::compress::Compression;
pub use crate::forward::{Content, HeaderAction, HeaderRule, Page, Pages, Redirect, Rewrite, To};
use crate::limit::Rule;
pub use crate::listen::Address as ListenAddress;
use crate::listen::tls::Settings as ListenTls;
pub use crate::listen::{ClientField, Network, Networks, Trust};
pub use crate::policy::CanaryRules;
pub use crate::proxy_protocol::Version;
pub use crate::route::{Expression, HostPattern, PathPattern};
use crate::template::Template;
use crate::upstream::check::Check;
use crate::upstream::health::{Ejection, Passive};
use crate::upstream::{Address, Protocol, QueueLimits, Retry, TlsSettings};

/// Everything.
#[derive(Debug)]
pub struct Config {
    /// Threads that serve.
    pub workers: NonZeroUsize,
    /// Folder of policy files.
    pub policies: PathBuf,
    /// Folder in which large policies are kept compiled; none: nowhere.
    pub policy_cache: Option<PathBuf>,
    /// Socket for commands and pages.
    pub control: PathBuf,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// Whom to become once everything is open: `user` or `user:group`.
    pub user: Option<String>,
    /// How long a graceful quit may wait for requests; zero: not at all.
    pub quit_timeout: Duration,
    /// How often names are looked up.
    pub resolve_interval: Duration,
    /// A TCP address for the pages of the control socket.
    pub admin: Option<SocketAddr>,
    /// The logs.
    pub log: Log,
    /// What a policy may use up.
    pub sandbox: Sandbox,
    /// What a client may use up.
    pub limits: Limits,
    /// What is answered in place of errors, where no route is known.
    pub error_pages: Pages,
    /// Limits of requests in a time; routes refer to them by index.
    pub rate_limits: Vec<RateLimit>,
    /// Limits of requests at once; routes refer to them by index.
    pub connection_limits: Vec<ConnectionLimit>,
    /// At least one, no two overlapping.
    pub listen: Vec<Listen>,
    /// At least one, no two for the same host and path.
    pub routes: Vec<Route>,
    /// In the order of the files.
    pub upstreams: Vec<Upstream>,
}

/// The logs.
#[derive(Debug)]
pub struct Log {
    /// The least important lines that are written.
    pub level: tracing::Level,
    /// None: standard error.
    pub file: Option<PathBuf>,
    /// Where each request is noted.
    pub access: AccessLog,
    /// How each request is noted.
    pub format: LogFormat,
}

impl Log {
    /// The files that are written.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let access = match &self.access {
            AccessLog::File(path) => Some(path.as_path()),
            AccessLog::Off | AccessLog::Stdout => None,
        };
        self.file.as_deref().into_iter().chain(access)
    }
}

/// Where each request is noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// On standard output.
    Stdout,
    /// In a file.
    File(PathBuf),
}

/// How a request is noted.
#[derive(Debug)]
pub enum LogFormat {
    /// nginx's `combined`.
    Combined,
    /// One JSON object a line.
    Json,
    /// A text with variables.
    Text(Template),
}

/// The budget of every policy.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// For one pick.
    pub pick_deadline: Duration,
    /// For the birth of an instance.
    pub init_deadline: Duration,
    /// Bytes for one instance.
    pub memory: u64,
    /// So many faults within `fault_window` put a policy out of service.
    pub max_faults: u64,
    /// See `max_faults`.
    pub fault_window: Duration,
}

/// What a client may use up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From accept, or from the first byte of a later request, to the end of the head.
    pub header_timeout: Duration,
    /// Between two reads of a request body.
    pub body_timeout: Duration,
    /// Between two requests on a connection.
    pub idle_timeout: Duration,
    /// Between two writes of an answer.
    pub send_timeout: Duration,
    /// Most requests on one connection; 0: no limit.
    pub max_requests: u64,
    /// Bytes of a request head.
    pub max_head: u64,
    /// Bytes of a request body; `u64::MAX` where there is no limit.
    pub max_body: u64,
    /// Connections of all clients at once.
    pub max_connections: Option<u64>,
    /// Connections of one client's address at once.
    pub max_connections_per_client: Option<u64>,
}

/// How many requests in a time, by key.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Its name.
    pub name: Box<str>,
    /// What requests are told apart by.
    pub key: Template,
    /// What holds for each key.
    pub rule: Rule,
    /// What a client gets that is refused.
    pub status: StatusCode,
    /// How many keys are remembered.
    pub keys: usize,
    /// Only count and log.
    pub dry_run: bool,
}

/// How many requests at once, by key.
#[derive(Clone, Debug)]
pub struct ConnectionLimit {
    /// Its name.
    pub name: Box<str>,
    /// What requests are told apart by.
    pub key: Template,
    /// Most requests at once, for each key.
    pub max: u64,
    /// What a client gets that is refused.
    pub status: StatusCode,
    /// How many keys can be counted at once.
    pub keys: usize,
    /// Only count and log.
    pub dry_run: bool,
}

/// A listener.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where it accepts.
    pub address: ListenAddress,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Whom it believes about its clients.
    pub trust: Option<Trust>,
    /// TLS, with what its files held when they were read.
    pub tls: Option<ListenTls>,
    /// Where it was configured, for an address that cannot be bound.
    pub place: Place,
}

/// Which requests go to which upstream.
#[derive(Debug)]
pub struct Route {
    /// The hosts it serves; at least one.
    pub hosts: Vec<HostPattern>,
    /// The paths it serves.
    pub path: PathPattern,
    /// Who answers: an index in [`Config::upstreams`], or a page.
    pub to: To,
    /// Another path for the backend.
    pub rewrite: Option<Rewrite>,
    /// Bytes of a request body; `u64::MAX` where there is no limit.
    pub max_body: u64,
    /// How long a request may take in all; none: as long as something moves.
    pub timeout: Option<Duration>,
    /// What to change in requests: the upstream's rules, overridden by the route's own.
    pub request_headers: Vec<HeaderRule>,
    /// What to change in answers: the upstream's rules, overridden by the route's own.
    pub response_headers: Vec<HeaderRule>,
    /// What is answered in place of errors: those of the top, overridden by the route's own.
    pub error_pages: Pages,
    /// In place of the backends' errors too?
    pub intercept_errors: bool,
    /// Which answers are compressed.
    pub compression: Option<Arc<Compression>>,
    /// Indices in [`Config::rate_limits`].
    pub rate_limits: Vec<usize>,
    /// Indices in [`Config::connection_limits`].
    pub connection_limits: Vec<usize>,
    /// Where it was configured.
    pub place: Place,
}

/// A set of backends with one policy.
#[derive(Debug)]
pub struct Upstream {
    /// Its name.
    pub name: Box<str>,
    /// At least one, at least one of them not down, no two with the same address.
    pub backends: Vec<Backend>,
    /// Who picks.
    pub policy: Policy,
    /// Who is asked beside it, and not obeyed.
    pub shadows: Vec<Policy>,
    /// Share of the picks that shadows are asked for, 0 to 1.
    pub shadow_share: f64,
    /// Who decides for a share of the requests.
    pub canary: Option<Canary>,
    /// What requests are hashed by.
    pub hash_key: Option<Template>,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// Between two writes of a request.
    pub send_timeout: Duration,
    /// Between two reads of an answer.
    pub read_timeout: Duration,
    /// Idle connections that a worker keeps for each backend.
    pub idle_connections: usize,
    /// How long it keeps them.
    pub idle_timeout: Duration,
    /// Attempts for one request; none: every backend once.
    pub tries: Option<NonZeroUsize>,
    /// When an attempt that failed is followed by another.
    pub retry: Retry,
    /// When a backend that fails is ejected; none: never.
    pub ejection: Option<Ejection>,
    /// How backends are checked; none: only by requests.
    pub check: Option<Check>,
    /// Health does not count while less than this percentage of the backends is well.
    pub panic_threshold: u32,
    /// Requests that wait when every backend has as many as it may.
    pub queue: QueueLimits,
    /// How sessions stay at a backend; none: they do not.
    pub sticky: Option<Sticky>,
    /// The PROXY protocol at the beginning of each connection.
    pub proxy_protocol: Option<Version>,
    /// Clients are sent to the backend that was picked.
    pub redirect: Option<Redirect>,
    /// TLS towards all its backends, with what its files held when they were read.
    pub tls: Option<TlsSettings>,
    /// What is spoken with its backends.
    pub protocol: Protocol,
    /// Where it was configured.
    pub place: Place,
}

/// How sessions stay at a backend.
#[derive(Clone, Debug)]
pub struct Sticky {
    /// What tells sessions apart.
    pub by: StickyBy,
    /// For a cookie of the gateway's own: where it holds.
    pub path: Box<str>,
    /// For hosts below this too.
    pub domain: Option<Box<str>>,
    /// How long clients keep it; none: as long as they run.
    pub max_age: Option<Duration>,
    /// Hidden from scripts.
    pub http_only: bool,
    /// Over TLS alone.
    pub secure: bool,
    /// For requests from other sites.
    pub same_site: SameSite,
    /// For sessions that are learnt: most of them.
    pub sessions: usize,
    /// How long one is remembered after its last use.
    pub timeout: Duration,
}

/// What tells sessions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StickyBy {
    /// A cookie that the gateway sets.
    Cookie {
        /// Its name.
        name: Box<str>,
        /// Signs its value; none: the value is only obscure.
        secret: Option<Box<str>>,
    },
    /// A cookie that backends set.
    LearntCookie(Box<str>),
    /// A field of requests or answers.
    LearntHeader(HeaderName),
}

/// The attribute `SameSite` of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent when a link leads here.
    Lax,
    /// Never sent from other sites.
    Strict,
    /// Always sent.
    None,
}

/// One backend.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its address as it was written. Hash rings are built from it.
    pub name: Box<str>,
    /// Where it listens.
    pub address: Address,
    /// Relative capacity, 1 to 65535.
    pub weight: u32,
    /// Only used when no other backend can be.
    pub backup: bool,
    /// Out of service.
    pub down: bool,
    /// No new clients.
    pub drain: bool,
    /// When failures take it out, in nginx's way.
    pub passive: Passive,
    /// Most attempts at a time.
    pub max_conns: Option<u32>,
    /// How long it takes to its full weight when it comes back.
    pub slow_start: Duration,
    /// Where it stands.
    pub zone: Option<Box<str>>,
    /// Free labels, in the order of the file.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Where it was configured.
    pub place: Place,
}

/// A policy that tries itself out.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The policy.
    pub policy: Policy,
    /// What it may do.
    pub rules: CanaryRules,
}

/// A policy and its options.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name: letters, digits, `_` and `-`. Whether it exists is not known here.
    pub name: Box<str>,
    /// What it is born with.
    pub options: Map<String, Value>,
    /// Where it was configured, for options that it refuses and names that do not exist.
    pub place: Place,
}
