//! Whom to trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;

use super::identity::{NO_CERTIFICATE, read_chain};
use super::{Flaw, fingerprint};

const NO_AUTHORITY: &str =
    "it must hold certificates of authorities in PEM form (`-----BEGIN CERTIFICATE-----`)";

/// Authorities whose signature is believed.
#[derive(Debug)]
pub struct Trust {
    /// For verifiers.
    pub roots: Arc<RootCertStore>,
    /// Where they were read; none for those of the system.
    pub file: Option<PathBuf>,
    /// Changes when they do.
    pub fingerprint: Box<str>,
}

impl Trust {
    /// Reads authorities from a file of PEM certificates.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path) -> Result<Arc<Self>, Flaw> {
        let certificates = read_chain(path).map_err(|flaw| match flaw.help {
            NO_CERTIFICATE => Flaw { help: NO_AUTHORITY, ..flaw },
            _ => flaw,
        })?;
        let fingerprint = certificates.iter().map(fingerprint).collect::<String>().into();
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| {
                let message = format!("one of its certificates cannot be an authority: {error}");
                Flaw::new(path, message, NO_AUTHORITY)
            })?;
        }
        Ok(Arc::new(Self { roots: Arc::new(roots), file: Some(path.to_owned()), fingerprint }))
    }

    /// Reads the system's authorities (`/etc/ssl/certs`, or where `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` point). Single ones that cannot be read are left out.
    ///
    /// # Errors
    /// There is none at all.
    pub fn of_the_system() -> Result<Arc<Self>, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(format!("this system has no certificate authorities{why}"));
        }
        Ok(Arc::new(Self { roots: Arc::new(roots), file: None, fingerprint: Box::default() }))
    }
}
