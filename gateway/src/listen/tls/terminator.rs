//! What is in force on a listener: TLS or not, with which certificates. Shared by all workers,
//! replaced whole while connections come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::{ArcSwapOption, Guard};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::Settings;
use super::names::ByName;
use crate::certificate::provider;

/// TLS of one listener, if it has any. It outlives generations: certificates are swapped under
/// connections that stay.
#[derive(Debug, Default)]
pub struct Terminator {
    terms: ArcSwapOption<Terms>,
    /// What became of handshakes.
    pub counts: Counts,
}

/// TLS as it is in force.
#[derive(Debug)]
pub struct Terms {
    /// What it was made from.
    pub settings: Settings,
    pub(super) config: Arc<ServerConfig>,
}

/// Handshakes by what became of them, since the gateway started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Done in full.
    pub full: AtomicU64,
    /// Done by taking up an earlier session.
    pub resumed: AtomicU64,
    /// Failed: nothing in common, a certificate that is not believed, the client left.
    pub failed: AtomicU64,
    /// Not done in time.
    pub timed_out: AtomicU64,
    /// The client spoke HTTP without TLS.
    pub plain: AtomicU64,
}

impl Counts {
    /// What became of handshakes, and how many each.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 5] {
        [
            ("full", &self.full),
            ("resumed", &self.resumed),
            ("failed", &self.failed),
            ("timed_out", &self.timed_out),
            ("plain", &self.plain),
        ]
        .map(|(name, count)| (name, count.load(Relaxed)))
    }
}

impl Terminator {
    /// What is in force now; none where connections are not encrypted.
    #[must_use]
    pub fn terms(&self) -> Guard<Option<Arc<Terms>>> {
        self.terms.load()
    }

    /// Puts other terms in force, for connections that are accepted from now on. Tickets of
    /// earlier sessions stay good unless clients are judged differently now.
    pub fn put(&self, terms: Option<Arc<Terms>>) {
        self.terms.store(terms);
    }

    /// Makes terms from settings. Nothing is in force before [`put`](Self::put).
    ///
    /// # Errors
    /// What the settings cannot do: authorities that can verify nobody, say.
    pub fn prepare(&self, settings: &Settings) -> Result<Arc<Terms>, String> {
        let earlier = self.terms.load_full();
        let earlier = earlier.filter(|earlier| settings.resumes(&earlier.settings));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(settings.versions.list())
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(verifier(settings)?)
            .with_cert_resolver(Arc::new(ByName::new(&settings.identities)));
        config.ticketer = match &earlier {
            Some(earlier) => Arc::clone(&earlier.config.ticketer),
            None => Ticketer::new().map_err(|error| error.to_string())?,
        };
        let http2 = settings.http2.then_some(&b"h2"[..]);
        config.alpn_protocols = http2.into_iter().chain([&b"http/1.1"[..]]).map(<[u8]>::to_vec).collect();
        Ok(Arc::new(Terms { settings: settings.clone(), config: Arc::new(config) }))
    }
}

fn verifier(settings: &Settings) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let Some(clients) = &settings.clients else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let roots = Arc::clone(&clients.trust.roots);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| format!("client_ca: {error}"))
}
