//! How an upstream's backends are talked to.

use std::time::Duration;

use super::check::Check;
use super::health::Ejection;
use super::retry::Retry;
use crate::proxy_protocol::Version;

/// Limits towards the backends of one upstream.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest time to make a connection (nginx `proxy_connect_timeout`).
    pub connect_timeout: Duration,
    /// Longest silence while a request is being sent (nginx `proxy_send_timeout`).
    pub send_timeout: Duration,
    /// Longest silence while an answer is awaited or read (nginx `proxy_read_timeout`).
    pub read_timeout: Duration,
    /// Idle connections kept for each worker and backend (nginx `keepalive`).
    pub idle_connections: usize,
    /// How long they are kept (nginx `keepalive_timeout` of an upstream).
    pub idle_timeout: Duration,
    /// Attempts for one request; none: each backend once (nginx `proxy_next_upstream_tries`).
    pub tries: Option<u32>,
    /// The PROXY protocol at the beginning of each connection, which then serves one client only
    /// (nginx `proxy_protocol` of a stream server, HAProxy `send-proxy`).
    pub proxy_protocol: Option<Version>,
    /// What is spoken with the backends.
    pub protocol: Protocol,
    /// When an attempt that failed is followed by another.
    pub retry: Retry,
    /// When a backend that fails is ejected; none: never.
    pub ejection: Option<Ejection>,
    /// How backends are checked; none: only by requests.
    pub check: Option<Check>,
    /// Health does not count while less than this percentage of the backends is well.
    pub panic_threshold: u32,
    /// What happens when all backends have as many requests as they may (nginx Plus `queue`).
    pub queue: QueueLimits,
}

/// What is spoken with backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: agreed on by ALPN where there is TLS, known beforehand where there is none
    /// (RFC 9113 section 3.3).
    Http2 {
        /// Most requests at a time on one connection; a backend may allow fewer.
        max_streams: usize,
    },
}

/// How many requests may wait for a backend with room, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Requests that may wait, over all workers; 0: none does.
    pub length: u32,
    /// How long each may wait.
    pub timeout: Duration,
}

impl Default for Settings {
    /// The defaults of the configuration.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connect_timeout: Duration::from_secs(5),
            send_timeout: minute,
            read_timeout: minute,
            idle_connections: 64,
            idle_timeout: minute,
            tries: None,
            proxy_protocol: None,
            protocol: Protocol::Http1,
            retry: Retry::default(),
            ejection: Some(Ejection::default()),
            check: None,
            panic_threshold: 0,
            queue: QueueLimits { length: 0, timeout: minute },
        }
    }
}
