//! How an upstream's backends are talked to.

use std::time::Duration;

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
}
