//! Writing the header.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::{Addresses, SIGNATURE, Version};

/// Appends the header. Without addresses it says that there are none to tell.
pub fn write(version: Version, addresses: Option<Addresses>, out: &mut Vec<u8>) {
    let addresses = addresses.map(alike);
    match version {
        Version::V1 => line(addresses, out),
        Version::V2 => binary(addresses, out),
    }
}

/// Both addresses have one family: IPv4, or else IPv6 with IPv4 mapped into it.
fn alike(addresses: Addresses) -> Addresses {
    let Addresses { source, destination } = addresses;
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (source, destination) = (plain(source), plain(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return Addresses { source, destination };
    }
    let six = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    Addresses { source: six(source), destination: six(destination) }
}

fn line(addresses: Option<Addresses>, out: &mut Vec<u8>) {
    let Some(Addresses { source, destination }) = addresses else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    // Writing to memory cannot fail.
    let _ = write!(out, "PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port());
}

fn binary(addresses: Option<Addresses>, out: &mut Vec<u8>) {
    out.extend_from_slice(&SIGNATURE);
    let Some(Addresses { source, destination }) = addresses else {
        return out.extend_from_slice(&[0x21, 0x00, 0, 0]);
    };
    let (family, length) = if source.is_ipv4() { (0x11, 12) } else { (0x21, 36) };
    out.extend_from_slice(&[0x21, family, 0, length]);
    for address in [source, destination] {
        match address.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: Version, source: &str, destination: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let addresses =
            Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
        write(version, Some(addresses), &mut out);
        out
    }

    #[test]
    fn a_line_as_in_the_specification() {
        let line = written(Version::V1, "192.168.0.1:56324", "192.168.0.11:443");
        assert_eq!(line, b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
    }

    #[test]
    fn mixed_families_become_one() {
        let line = written(Version::V1, "[2001:db8::1]:1", "10.0.0.1:2");
        assert_eq!(line, b"PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 1 2\r\n");
        let line = written(Version::V1, "[::ffff:10.0.0.9]:1", "10.0.0.1:2");
        assert_eq!(line, b"PROXY TCP4 10.0.0.9 10.0.0.1 1 2\r\n");
    }

    #[test]
    fn binary_as_in_the_specification() {
        let bytes = written(Version::V2, "127.0.0.1:258", "1.2.3.4:80");
        assert_eq!(bytes[..12], SIGNATURE);
        assert_eq!(bytes[12..], [0x21, 0x11, 0, 12, 127, 0, 0, 1, 1, 2, 3, 4, 1, 2, 0, 80]);
    }

    #[test]
    fn no_addresses_can_be_said_too() {
        for (version, expected) in [
            (Version::V1, b"PROXY UNKNOWN\r\n".to_vec()),
            (Version::V2, [&SIGNATURE[..], &[0x21, 0, 0, 0]].concat()),
        ] {
            let mut out = Vec::new();
            write(version, None, &mut out);
            assert_eq!(out, expected);
        }
    }
}
