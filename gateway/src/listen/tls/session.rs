//! What a handshake came to.

use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use rustls_pki_types::CertificateDer;

use crate::certificate::{Facts, sha1_fingerprint};

/// What was agreed on with a client, under nginx's names for it.
#[derive(Debug)]
pub struct Session {
    /// `TLSv1.2` or `TLSv1.3` (nginx `$ssl_protocol`).
    pub version: &'static str,
    /// The cipher by OpenSSL's name, as in nginx (`$ssl_cipher`).
    pub cipher: &'static str,
    /// The name that the client asked for (`$ssl_server_name`).
    pub server_name: Option<Box<str>>,
    /// `h2` or `http/1.1`, if the client offered any (`$ssl_alpn_protocol`).
    pub alpn: &'static str,
    /// Was an earlier session taken up again (`$ssl_session_reused`)?
    pub resumed: bool,
    /// The certificate of the client, verified.
    pub client: Option<Client>,
}

/// The certificate of a client.
#[derive(Debug)]
pub struct Client {
    /// Whom it names (nginx `$ssl_client_s_dn`).
    pub subject: Box<str>,
    /// Who signed it (`$ssl_client_i_dn`).
    pub issuer: Box<str>,
    /// Its serial number (`$ssl_client_serial`).
    pub serial: Box<str>,
    /// SHA-1 of it (`$ssl_client_fingerprint`).
    pub fingerprint: Box<str>,
}

impl Session {
    pub(super) fn of(connection: &ServerConnection) -> Box<Self> {
        let client = connection.peer_certificates().and_then(|chain| Client::of(chain.first()?));
        Box::new(Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: connection.negotiated_cipher_suite().map_or("", |suite| openssl_name(suite.suite())),
            server_name: connection.server_name().map(Into::into),
            alpn: match connection.alpn_protocol() {
                Some(b"h2") => "h2",
                Some(b"http/1.1") => "http/1.1",
                _ => "",
            },
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            client,
        })
    }
}

impl Client {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let Facts { subject, issuer, serial, .. } = Facts::of(certificate)?;
        let serial = serial.to_ascii_uppercase().into();
        Some(Self { subject, issuer, serial, fingerprint: sha1_fingerprint(certificate).into() })
    }
}

fn openssl_name(suite: rustls::CipherSuite) -> &'static str {
    use rustls::CipherSuite as Suite;
    match suite {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        other => other.as_str().unwrap_or("unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_that_can_be_agreed_on_has_openssls_name() {
        for suite in &crate::certificate::provider().cipher_suites {
            let name = openssl_name(suite.suite());
            assert!(name.starts_with("TLS_") || name.starts_with("ECDHE-"), "{:?}: {name}", suite.suite());
            assert!(!name.contains("_WITH_"), "{name}");
        }
    }
}
