//! Certificates: PEM files to chains and keys that fit, whom to trust, and what a certificate says
//! of itself. Both sides of the gateway use them; nothing here knows a connection.

mod facts;
mod flaw;
mod identity;
mod trust;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{SupportedProtocolVersion, version};

pub use facts::Facts;
pub use flaw::Flaw;
pub use identity::{Identity, fingerprint, sha1_fingerprint};
pub use trust::Trust;

/// The cryptography behind all TLS of the gateway: aws-lc-rs, and nothing else.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Versions of TLS that may be spoken (nginx `ssl_protocols`). There is nothing below 1.2: RFC 8996.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

impl Versions {
    /// As rustls wants them.
    #[must_use]
    pub fn list(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
        match self {
            Self::Both => &BOTH,
            Self::Tls13 => &BOTH[..1],
            Self::Tls12 => &BOTH[1..],
        }
    }
}
