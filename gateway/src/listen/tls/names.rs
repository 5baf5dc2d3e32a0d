//! The name that a client asks for (SNI, RFC 6066 section 3), to a certificate.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::Identity;

/// Certificates by name: the exact one, else the wildcard, else the first of the listener. Several
/// for one name (an ECDSA beside an RSA one) are told apart by what the client can verify.
#[derive(Debug)]
pub(super) struct ByName {
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// `*.a.example` under `a.example`.
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    first: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    pub(super) fn new(identities: &[Arc<Identity>]) -> Self {
        let (mut exact, mut wildcard) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for identity in identities {
            for name in &identity.facts.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut wildcard, rest),
                    None => (&mut exact, &**name),
                };
                map.entry(name.into()).or_default().push(Arc::clone(&identity.certified));
            }
        }
        // Those with the names of the first may stand in for it.
        let alike = identities.iter().filter(|other| other.facts.names == identities[0].facts.names);
        let first = alike.map(|identity| Arc::clone(&identity.certified)).collect();
        Self { exact, wildcard, first }
    }

    /// The certificate for `name`, of which the client can verify the signature.
    fn find(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |list: &Vec<Arc<CertifiedKey>>| {
            list.iter().find(|certified| certified.key.choose_scheme(schemes).is_some()).cloned()
        };
        // A wildcard stands for one label, and for no less (RFC 9525 section 6.3).
        let exact = name.and_then(|name| fits(self.exact.get(name)?));
        let below = || fits(self.wildcard.get(name?.split_once('.')?.1)?);
        exact.or_else(below).or_else(|| fits(&self.first))
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives the name in lower case and without a dot at its end.
        self.find(hello.server_name(), hello.signature_schemes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm};

    struct Made {
        _folder: tempfile::TempDir,
        identity: Arc<Identity>,
    }

    fn made(names: &[&str], algorithm: &'static SignatureAlgorithm) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let (chain, pem) = (folder.path().join("chain"), folder.path().join("key"));
        std::fs::write(&chain, certificate.pem()).unwrap();
        std::fs::write(&pem, key.serialize_pem()).unwrap();
        let identity = Identity::read(&chain, &pem).unwrap();
        Made { _folder: folder, identity }
    }

    const BOTH: &[SignatureScheme] = &[SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

    fn found(list: &[&Made], name: Option<&str>, schemes: &[SignatureScheme]) -> Option<usize> {
        let identities: Vec<_> = list.iter().map(|made| Arc::clone(&made.identity)).collect();
        let found = ByName::new(&identities).find(name, schemes)?;
        identities.iter().position(|identity| Arc::ptr_eq(&identity.certified, &found))
    }

    #[test]
    fn an_exact_name_comes_before_a_wildcard_and_the_first_is_for_all_others() {
        let (a, wild) =
            (made(&["a.example"], &PKCS_ED25519), made(&["*.b.example", "b.example"], &PKCS_ED25519));
        let exact = made(&["x.b.example"], &PKCS_ED25519);
        let found = |name| found(&[&a, &wild, &exact], name, BOTH).unwrap();
        assert_eq!(
            [found(Some("x.b.example")), found(Some("y.b.example")), found(Some("b.example"))],
            [2, 1, 1]
        );
        assert_eq!([found(Some("x.y.b.example")), found(Some("else.example")), found(None)], [0, 0, 0]);
    }

    #[test]
    fn of_two_for_one_name_the_client_gets_the_one_it_can_verify() {
        let (ed, ec) = (made(&["a.example"], &PKCS_ED25519), made(&["a.example"], &PKCS_ECDSA_P256_SHA256));
        let found = |schemes| found(&[&ed, &ec], Some("a.example"), schemes);
        assert_eq!(found(BOTH), Some(0));
        assert_eq!(found(&BOTH[1..]), Some(1));
        assert_eq!(found(&[SignatureScheme::RSA_PSS_SHA256]), None);
    }
}
