//! TLS towards backends.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Address, Protocol};
use crate::certificate::{Identity, Trust, Versions, provider};

/// Sessions remembered for each backend, so that later connections need no full handshake. A
/// ticket serves one connection.
const SESSIONS: usize = 32;

/// TLS towards the backends of one upstream.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The name that backends are asked for and must have a certificate for; none: the host of
    /// their address (nginx `proxy_ssl_name`, with `proxy_ssl_server_name on`).
    pub server_name: Option<ServerName<'static>>,
    /// Who must have signed their certificates.
    pub verify: Verify,
    /// What the gateway shows of itself, if a backend asks (nginx `proxy_ssl_certificate`).
    pub identity: Option<Arc<Identity>>,
    /// nginx `proxy_ssl_protocols`.
    pub versions: Versions,
}

/// Which certificates of backends are believed.
#[derive(Clone, Debug)]
pub enum Verify {
    /// Those that these authorities signed (nginx `proxy_ssl_trusted_certificate`).
    By(Arc<Trust>),
    /// All: whoever answers is believed (nginx's default, `proxy_ssl_verify off`).
    Nothing,
}

impl TlsSettings {
    /// Do both ask the same of a backend and show it the same? Then so do their connections.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let authorities = |settings: &Self| match &settings.verify {
            Verify::By(trust) => Some((trust.file.clone(), trust.fingerprint.clone())),
            Verify::Nothing => None,
        };
        let shown = |settings: &Self| settings.identity.as_ref().map(|own| own.fingerprint.clone());
        self.server_name == other.server_name
            && self.versions == other.versions
            && authorities(self) == authorities(other)
            && shown(self) == shown(other)
    }

    fn config(&self, protocol: Protocol) -> Result<ClientConfig, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(self.versions.list())?;
        let builder = match &self.verify {
            Verify::By(trust) => builder.with_root_certificates(Arc::clone(&trust.roots)),
            Verify::Nothing => builder.dangerous().with_custom_certificate_verifier(Arc::new(BelievesAll)),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_cert_resolver(Arc::new(Shows(Arc::clone(own)))),
        };
        config.alpn_protocols = match protocol {
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 { .. } => vec![b"h2".to_vec()],
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(config)
    }
}

/// Shows one certificate to whoever asks.
#[derive(Debug)]
struct Shows(Arc<Identity>);

impl rustls::client::ResolvesClientCert for Shows {
    fn resolve(
        &self,
        _authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        // A backend that cannot verify this kind of key is shown none, and says what it thinks of that.
        let certified = &self.0.certified;
        certified.key.choose_scheme(schemes).map(|_| Arc::clone(certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// TLS towards one backend. It outlives generations that leave it as it is, and with it the
/// sessions that can be taken up again.
#[derive(Debug)]
pub struct Tls {
    name: ServerName<'static>,
    protocol: Protocol,
    config: ArcSwap<ClientConfig>,
}

impl Tls {
    /// For the backend at `address`.
    ///
    /// # Errors
    /// What the settings cannot do.
    pub fn new(settings: &TlsSettings, address: &Address, protocol: Protocol) -> Result<Arc<Self>, String> {
        let config = settings.config(protocol).map_err(|error| error.to_string())?;
        let name = match (&settings.server_name, address) {
            (Some(name), _) => name.clone(),
            (None, Address::Tcp { host, .. }) => ServerName::try_from(host.to_string())
                .map_err(|_| format!("no certificate could be for `{host}`"))?,
            (None, Address::Unix(_)) => {
                return Err("a unix socket has no name: `server_name` is missing".into());
            }
        };
        Ok(Arc::new(Self { name, protocol, config: ArcSwap::from_pointee(config) }))
    }

    /// Takes up changed files, for connections made from now on.
    ///
    /// # Errors
    /// What the settings cannot do; then nothing changes.
    pub fn renew(&self, settings: &TlsSettings) -> Result<(), String> {
        let config = settings.config(self.protocol).map_err(|error| error.to_string())?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// Does the handshake with a backend that was just connected to.
    ///
    /// # Errors
    /// Why there is no session, in words for the log: a certificate that is not believed, say.
    pub(super) async fn shake<S>(&self, socket: S) -> io::Result<Box<TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(self.config.load_full());
        let stream = connector
            .connect(self.name.clone(), socket)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("TLS: {error}")))?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if matches!(self.protocol, Protocol::Http2 { .. }) && agreed != Some(b"h2") {
            let why = "TLS: the backend does not offer HTTP/2 (ALPN h2), which `protocol = \"h2\"` demands";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Ok(Box::new(stream))
    }
}

/// Believes every certificate; only that its owner has the key is still checked.
#[derive(Debug)]
struct BelievesAll;

impl ServerCertVerifier for BelievesAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
