//! Certificates made for a test, and the two ends of TLS: rustls over a blocking socket.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls::{DEFAULT_VERSIONS, SupportedProtocolVersion};

use super::stream::Stream;
use super::{PATIENCE, Wire};

/// An authority that signs what the test wants.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM form.
pub struct Issued {
    pub chain: String,
    pub key: String,
}

/// A new authority, which nobody knows.
pub fn authority() -> Authority {
    let mut asked = CertificateParams::default();
    asked.distinguished_name.push(DnType::CommonName, "test authority");
    asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    Authority(CertifiedIssuer::self_signed(asked, key).expect("an authority"))
}

impl Authority {
    /// Its own certificate, in PEM form.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, with the first as its subject; for both sides of TLS.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_until(names, 365)
    }

    /// The same, which ends so many days from now.
    pub fn issue_until(&self, names: &[&str], days: i64) -> Issued {
        let mut asked =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names");
        asked.distinguished_name = rcgen::DistinguishedName::new();
        asked.distinguished_name.push(DnType::CommonName, names[0]);
        asked.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        asked.not_after = (std::time::SystemTime::now()
            + std::time::Duration::from_secs(u64::try_from(days).expect("not in the past") * 86_400 + 3_600))
        .into();
        let key = KeyPair::generate().expect("a key");
        let made = asked.signed_by(&key, &self.0).expect("a certificate");
        Issued { chain: made.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("an authority");
        Arc::new(roots)
    }
}

impl Issued {
    fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>();
        (chain.expect("certificates"), PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key"))
    }
}

/// A client that speaks TLS. Sessions are remembered from one connection to the next.
pub struct TlsClient(Arc<ClientConfig>);

/// A client that believes this authority.
pub fn tls_client(authority: &Authority) -> TlsClient {
    TlsClient::new(authority, None, DEFAULT_VERSIONS, &[])
}

impl TlsClient {
    pub fn new(
        authority: &Authority,
        own: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(authority.roots());
        let mut config = match own.map(Issued::parts) {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("an identity"),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// Its settings, for a client that is not blocking.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    /// Connects and asks for `name`; the handshake is done.
    pub fn try_connect(&self, address: &str, name: &str) -> io::Result<Wire> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connection = ClientConnection::new(self.config(), name).expect("a connection");
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Wire::of(Stream::TlsClient(Box::new(stream))))
    }

    /// The same; fails the test when there is no session.
    #[track_caller]
    pub fn connect(&self, address: &str, name: &str) -> Wire {
        self.try_connect(address, name).unwrap_or_else(|e| panic!("no TLS with {name} at {address}: {e}"))
    }
}

/// TLS at a backend that the test plays.
pub struct TlsServer(Arc<ServerConfig>);

impl TlsServer {
    /// A backend with this certificate that asks nobody for theirs.
    pub fn new(own: &Issued) -> Self {
        Self::build(own, None, &[])
    }

    /// A backend that demands certificates signed by `authority`.
    pub fn demanding(own: &Issued, authority: &Authority) -> Self {
        Self::build(own, Some(authority), &[])
    }

    pub fn build(own: &Issued, clients: Option<&Authority>, alpn: &[&str]) -> Self {
        let (chain, key) = own.parts();
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(DEFAULT_VERSIONS)
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let mut config = builder.with_single_cert(chain, key).expect("an identity");
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// Its settings, for a server that is not blocking.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }

    /// Does the handshake on a connection that was accepted.
    pub fn try_shake(&self, wire: Wire) -> io::Result<Wire> {
        let Stream::Tcp(socket) = wire.into_stream() else { panic!("TLS over TCP only") };
        let connection = ServerConnection::new(self.config()).expect("a connection");
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
                // The other side learns why.
                let _ = stream.conn.write_tls(&mut stream.sock);
                return Err(error);
            }
        }
        Ok(Wire::of(Stream::TlsServer(Box::new(stream))))
    }

    /// The same; fails the test when there is no session.
    #[track_caller]
    pub fn shake(&self, wire: Wire) -> Wire {
        self.try_shake(wire).unwrap_or_else(|e| panic!("no TLS with the gateway: {e}"))
    }
}
