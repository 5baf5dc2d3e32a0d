//! The functions that a policy imports, answered by the stand-in.

use super::{Gateway, Level, gateway};

pub(crate) fn write(level: Level, message: &str) {
    gateway(|gateway| gateway.log.push((level, message.into())));
}

pub(crate) mod stats {
    use super::{Gateway, gateway};
    use crate::stats::{Detail, Report};

    fn at(column: impl FnOnce(&Gateway) -> &Vec<u32>, index: u32) -> u32 {
        gateway(|gateway| column(gateway).get(index as usize).copied().unwrap_or(0))
    }

    pub(crate) fn in_flight() -> Vec<u32> {
        gateway(|gateway| gateway.in_flight.clone())
    }
    pub(crate) fn in_flight_of(backend: u32) -> u32 {
        at(|gateway| &gateway.in_flight, backend)
    }
    pub(crate) fn in_flight_total() -> u32 {
        gateway(|gateway| gateway.in_flight.iter().sum())
    }
    pub(crate) fn latency() -> Vec<u32> {
        gateway(|gateway| gateway.latency.clone())
    }
    pub(crate) fn latency_of(backend: u32) -> u32 {
        at(|gateway| &gateway.latency, backend)
    }
    pub(crate) fn age() -> Vec<u32> {
        gateway(|gateway| gateway.age.clone())
    }
    pub(crate) fn age_of(backend: u32) -> u32 {
        at(|gateway| &gateway.age, backend)
    }
    pub(crate) fn failures() -> Vec<u32> {
        gateway(|gateway| gateway.failures.clone())
    }
    pub(crate) fn failures_of(backend: u32) -> u32 {
        at(|gateway| &gateway.failures, backend)
    }
    pub(crate) fn detail_of(backend: u32) -> Detail {
        let none = crate::testing::detail;
        gateway(|gateway| gateway.details.get(backend as usize).copied().unwrap_or_else(none))
    }
    pub(crate) fn report_of(backend: u32) -> Option<Report> {
        gateway(|gateway| gateway.reports.get(backend as usize).copied().flatten())
    }
}

pub(crate) mod request_info {
    use super::gateway;

    fn find(pairs: &[(String, String)], name: &str) -> Option<String> {
        pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn key_bytes() -> Vec<u8> {
        gateway(|gateway| gateway.key.clone())
    }
    pub(crate) fn key_crc32() -> u64 {
        gateway(|gateway| u64::from(crate::crc32(&[&gateway.key])))
    }
    pub(crate) fn method() -> String {
        gateway(|gateway| gateway.method.clone())
    }
    pub(crate) fn path() -> String {
        gateway(|gateway| gateway.path.clone())
    }
    pub(crate) fn query() -> String {
        gateway(|gateway| gateway.query.clone())
    }
    pub(crate) fn host() -> String {
        gateway(|gateway| gateway.host.clone())
    }
    pub(crate) fn header(name: &str) -> Option<String> {
        gateway(|gateway| find(&gateway.headers, &name.to_ascii_lowercase()))
    }
    pub(crate) fn cookie(name: &str) -> Option<String> {
        gateway(|gateway| find(&gateway.cookies, name))
    }
    pub(crate) fn client_address() -> Vec<u8> {
        gateway(|gateway| gateway.client_address.clone())
    }
    pub(crate) fn tried() -> Vec<u32> {
        gateway(|gateway| gateway.tried.clone())
    }
}

pub(crate) mod upstream {
    use super::gateway;
    use crate::upstream::Member;

    pub(crate) fn name() -> String {
        gateway(|gateway| gateway.upstream.clone())
    }
    pub(crate) fn members() -> Vec<Member> {
        gateway(|gateway| gateway.members.clone())
    }
}
