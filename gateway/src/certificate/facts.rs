//! What a certificate says of itself.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

const DAY: i64 = 24 * 3600;
/// A certificate that ends within this time should have been renewed.
const SOON: i64 = 14 * DAY;

/// What a certificate says of itself. Times in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whom it is for, as RFC 4514 writes a name: `CN=client-7,O=Example`.
    pub subject: Box<str>,
    /// Who signed it.
    pub issuer: Box<str>,
    /// Hosts and addresses that it is for, in lower case; the common name where it has no list.
    pub names: Box<[Box<str>]>,
    /// Are the names a list (`subjectAltName`)? Clients have not looked at a common name for years.
    pub listed: bool,
    /// Serial number, in hexadecimal digits.
    pub serial: Box<str>,
    /// Valid from.
    pub not_before: i64,
    /// Valid to.
    pub not_after: i64,
}

impl Facts {
    /// Reads them; none if this is not a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let listed = names(&parsed);
        let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let common = || common.map(|name| name.to_ascii_lowercase().into()).collect();
        Some(Self {
            subject: distinguished(parsed.subject()),
            issuer: distinguished(parsed.issuer()),
            listed: !listed.is_empty(),
            names: if listed.is_empty() { common() } else { listed.into() },
            serial: hexadecimal(parsed.raw_serial()).into(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    }

    /// What is wrong with its dates at time `now`, if anything is: past, future, or soon to end.
    /// Soon is within 14 days, and for short-lived certificates the last third of their life.
    #[must_use]
    pub fn complaint(&self, now: i64) -> Option<String> {
        let left = self.not_after - now;
        let lifetime = self.not_after - self.not_before;
        if now < self.not_before {
            return Some(format!("is not valid before {}", date(self.not_before)));
        }
        if left < 0 {
            return Some(format!("expired on {}", date(self.not_after)));
        }
        (left < SOON.min(lifetime / 3)).then(|| match left / DAY {
            0 => format!("expires within a day, on {}", date(self.not_after)),
            days => format!("expires in {days} days, on {}", date(self.not_after)),
        })
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `2026-11-21T15:04:00Z`.
fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |time| time.to_string())
}

fn names(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let Ok(Some(list)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = list.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string().into()),
        _ => None,
    });
    names.collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(<[u8; 4]>::try_from(bytes).ok()?.into()),
        16 => Some(<[u8; 16]>::try_from(bytes).ok()?.into()),
        _ => None,
    }
}

/// The most specific part first, as RFC 4514 has it and nginx since 1.11.6.
fn distinguished(name: &X509Name<'_>) -> Box<str> {
    let written = name.to_string();
    let mut parts: Vec<_> = written.split(", ").collect();
    parts.reverse();
    parts.join(",").into()
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(from: i64, to: i64) -> Facts {
        Facts {
            subject: "CN=a".into(),
            issuer: "CN=a".into(),
            names: Box::default(),
            listed: true,
            serial: "01".into(),
            not_before: from,
            not_after: to,
        }
    }

    #[test]
    fn a_certificate_in_the_middle_of_its_life_is_no_cause_for_complaint() {
        assert_eq!(facts(0, 90 * DAY).complaint(60 * DAY), None);
        assert_eq!(facts(0, 6 * DAY).complaint(3 * DAY), None, "short-lived ones are renewed late");
    }

    #[test]
    fn the_end_the_beginning_and_the_last_days_are_told() {
        let told = |from, to, now| facts(from, to).complaint(now).unwrap();
        assert_eq!(told(0, 90 * DAY, 80 * DAY), "expires in 10 days, on 1970-04-01T00:00:00Z");
        assert_eq!(told(0, 6 * DAY, 6 * DAY - 60), "expires within a day, on 1970-01-07T00:00:00Z");
        assert_eq!(told(0, DAY, 2 * DAY), "expired on 1970-01-02T00:00:00Z");
        assert_eq!(told(DAY, 2 * DAY, 0), "is not valid before 1970-01-02T00:00:00Z");
    }

    #[test]
    fn names_dates_and_subject_are_read() {
        let mut asked =
            rcgen::CertificateParams::new(["A.example".to_owned(), "10.0.0.7".to_owned()]).unwrap();
        asked.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        asked.distinguished_name.push(rcgen::DnType::CommonName, "client-7");
        asked.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let made = asked.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let facts = Facts::of(made.der()).unwrap();
        assert_eq!(*facts.names, ["a.example".into(), "10.0.0.7".into()]);
        assert_eq!((facts.not_after, facts.listed), (1_893_456_000, true));
        assert!(facts.subject.contains("CN=client-7"), "{}", facts.subject);
        assert!(Facts::of(&CertificateDer::from(vec![1, 2, 3])).is_none());
    }
}
