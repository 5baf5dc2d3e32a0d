//! How an upstream's backends are talked to.

use std::time::Duration;

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
