//! A certificate with its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Facts, Flaw, facts, provider};

pub(super) const NO_CERTIFICATE: &str =
    "it must hold certificates in PEM form (`-----BEGIN CERTIFICATE-----`), the server's own first";
const NO_KEY: &str = "it must hold a private key in PEM form (`-----BEGIN PRIVATE KEY-----`)";
const ENCRYPTED: &str = "decrypt it: `openssl pkey -in <file> -out <new file>`, and let nobody else read it";
const MISMATCH: &str =
    "name the key that the certificate was made with; of a chain, the server's own certificate comes first";

/// A certificate, those that vouch for it, and the private key: who somebody is.
#[derive(Debug)]
pub struct Identity {
    /// For the handshake.
    pub certified: Arc<CertifiedKey>,
    /// What the certificate says.
    pub facts: Facts,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: Box<str>,
    /// Where the chain was read.
    pub chain: PathBuf,
    /// Where the key was read.
    pub key: PathBuf,
}

impl Identity {
    /// Reads a chain and a key, and checks that they belong together.
    ///
    /// # Errors
    /// Which file is wrong, and why.
    pub fn read(chain: &Path, key: &Path) -> Result<Arc<Self>, Flaw> {
        let certificates = read_chain(chain)?;
        let own = &certificates[0];
        let facts = Facts::of(own)
            .ok_or_else(|| Flaw::new(chain, "its first certificate is damaged", NO_CERTIFICATE))?;
        let fingerprint = fingerprint(own).into();
        let signing = provider().key_provider.load_private_key(read_key(key)?).map_err(|error| {
            Flaw::new(
                key,
                format!("this key cannot be used: {error}"),
                "RSA of 2048 bits or more, ECDSA P-256 and P-384, and Ed25519 can",
            )
        })?;
        let certified = CertifiedKey::new(certificates, signing);
        certified
            .keys_match()
            .map_err(|_| Flaw::new(key, "this key does not belong to the certificate", MISMATCH))?;
        let (chain, key) = (chain.to_owned(), key.to_owned());
        Ok(Arc::new(Self { certified: Arc::new(certified), facts, fingerprint, chain, key }))
    }

    /// What is wrong with its dates now, if anything is.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.facts.complaint(facts::now())
    }
}

/// All certificates of a file; at least one.
pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let bytes = std::fs::read(path).map_err(|error| Flaw::unreadable(path, &error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = read.map_err(|error| not_pem(path, &error))?;
    if certificates.is_empty() {
        return Err(Flaw::new(path, "there is no certificate in it", NO_CERTIFICATE));
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Flaw> {
    let bytes = std::fs::read(path).map_err(|error| Flaw::unreadable(path, &error))?;
    let holds = |mark: &[u8]| memchr::memmem::find(&bytes, mark).is_some();
    if holds(b"ENCRYPTED") {
        return Err(Flaw::new(
            path,
            "the key is encrypted, and nobody is here to type the password",
            ENCRYPTED,
        ));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => Flaw::new(path, "there is no private key in it", NO_KEY),
        error => not_pem(path, &error),
    })
}

fn not_pem(path: &Path, error: &pem::Error) -> Flaw {
    let message = match error {
        pem::Error::MissingSectionEnd { .. } => "it ends in the middle of a section",
        pem::Error::Base64Decode(_) => "what stands between its BEGIN and its END is damaged",
        _ => "it is not PEM",
    };
    Flaw::new(path, message, "copy it again, whole")
}

/// SHA-256 of a certificate, in hexadecimal digits.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    facts::hexadecimal(digest(&SHA256, certificate).as_ref())
}

/// SHA-1 of a certificate, in hexadecimal digits: what nginx's `$ssl_client_fingerprint` is. A
/// name for it, not a proof.
#[must_use]
pub fn sha1_fingerprint(certificate: &CertificateDer<'_>) -> String {
    facts::hexadecimal(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{KeyPair, generate_simple_self_signed};

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn of(chain: &str, key: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("chain.pem"), chain).unwrap();
            fs::write(folder.path().join("key.pem"), key).unwrap();
            Self(folder)
        }

        fn read(&self) -> Result<Arc<Identity>, Flaw> {
            Identity::read(&self.0.path().join("chain.pem"), &self.0.path().join("key.pem"))
        }

        fn flaw(&self) -> String {
            self.read().unwrap_err().to_string()
        }
    }

    fn made() -> (String, String) {
        let made = generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_and_its_key_are_an_identity() {
        let (chain, key) = made();
        let identity = Files::of(&chain, &key).read().unwrap();
        assert_eq!(*identity.facts.names, ["a.example".into()]);
        assert_eq!(identity.fingerprint.len(), 64);
    }

    #[test]
    fn what_does_not_fit_or_cannot_be_read_says_which_file_and_why() {
        let (chain, key) = made();
        let stranger = KeyPair::generate().unwrap().serialize_pem();
        let told = |chain: &str, key: &str| Files::of(chain, key).flaw();
        assert!(told(&chain, &stranger).ends_with("key.pem: this key does not belong to the certificate"));
        assert!(told(&key, &key).ends_with("chain.pem: there is no certificate in it"));
        assert!(told(&chain, &chain).ends_with("key.pem: there is no private key in it"));
        assert!(told(&chain[..chain.len() / 2], &key).contains("chain.pem: it ends in the middle"));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(told(&chain, encrypted).contains("the key is encrypted"));
    }
}
