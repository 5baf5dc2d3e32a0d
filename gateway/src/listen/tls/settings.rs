//! How TLS is spoken on a listener.

use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Identity, Trust, Versions};

/// TLS of one listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The certificates; at least one. The first is for clients that ask for no name, or for one
    /// that no certificate has.
    pub identities: Vec<Arc<Identity>>,
    /// nginx `ssl_protocols`.
    pub versions: Versions,
    /// Is HTTP/2 offered (ALPN `h2`, nginx `http2`)?
    pub http2: bool,
    /// Are clients asked for certificates?
    pub clients: Option<Clients>,
    /// Longest time from accepting a connection to the end of its handshake.
    pub handshake_timeout: Duration,
}

/// Which certificates of clients are believed (nginx `ssl_client_certificate`).
#[derive(Clone, Debug)]
pub struct Clients {
    /// Whose signature counts.
    pub trust: Arc<Trust>,
    /// Must a client have one (nginx `ssl_verify_client on`; else `optional`)?
    pub required: bool,
}

impl Settings {
    /// Would a session that began under `other` be as good under these? Then its ticket is.
    pub(super) fn resumes(&self, other: &Self) -> bool {
        let clients = |settings: &Self| {
            let clients = settings.clients.as_ref();
            clients.map(|clients| (clients.required, clients.trust.fingerprint.clone()))
        };
        clients(self) == clients(other)
    }
}
