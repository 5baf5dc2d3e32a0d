//! Reading the header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use super::{Addresses, SIGNATURE};

/// Longest line of version 1, its end included (section 2.1).
const LONGEST_LINE: usize = 107;
/// Bytes of version 2 before the addresses.
const FIXED: usize = 16;
/// Longest header: more than addresses and what proxies add to them need.
pub const LONGEST: usize = FIXED + 4 * 1024;

/// What stands at the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A header of so many bytes. No addresses: the proxy speaks for itself (a check of its own,
    /// say), or of a client without an address.
    Header(usize, Option<Addresses>),
    /// The beginning of one.
    More,
}

/// It is no header, or an impossible one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Invalid(&'static str);

/// Looks for a header in the first bytes of a connection.
///
/// # Errors
/// Why they are none.
pub fn read(bytes: &[u8]) -> Result<Found, Invalid> {
    let begins = |with: &[u8]| {
        let common = bytes.len().min(with.len());
        bytes[..common] == with[..common]
    };
    if begins(&SIGNATURE) {
        binary(bytes)
    } else if begins(b"PROXY ") {
        line(bytes)
    } else {
        Err(Invalid("it does not begin with a PROXY protocol header"))
    }
}

fn binary(bytes: &[u8]) -> Result<Found, Invalid> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Ok(Found::More) };
    let (version, command) = (fixed[12] >> 4, fixed[12] & 15);
    if version != 2 {
        return Err(Invalid("the PROXY protocol header has an unknown version"));
    }
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if FIXED + length > LONGEST {
        return Err(Invalid("the PROXY protocol header is too long"));
    }
    let Some(content) = rest.get(..length) else { return Ok(Found::More) };
    let addresses = match (command, fixed[13]) {
        (0, _) => None,
        // TCP over IPv4, over IPv6; everything else has no addresses that we know.
        (1, 0x11) => Some(addresses::<4>(content)?),
        (1, 0x21) => Some(addresses::<16>(content)?),
        (1, _) => None,
        _ => return Err(Invalid("the PROXY protocol header has an unknown command")),
    };
    Ok(Found::Header(FIXED + length, addresses))
}

/// Source, destination and their ports; what follows them is not ours.
fn addresses<const N: usize>(content: &[u8]) -> Result<Addresses, Invalid>
where
    IpAddr: From<[u8; N]>,
{
    let short = Invalid("the PROXY protocol header is shorter than its addresses");
    let (source, rest) = content.split_first_chunk::<N>().ok_or(short)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (ports, _) = rest.split_first_chunk::<4>().ok_or(short)?;
    let address = |ip: [u8; N], high, low| SocketAddr::new(IpAddr::from(ip), u16::from_be_bytes([high, low]));
    Ok(Addresses {
        source: address(*source, ports[0], ports[1]),
        destination: address(*destination, ports[2], ports[3]),
    })
}

fn line(bytes: &[u8]) -> Result<Found, Invalid> {
    let bad = Invalid("the PROXY protocol header is not a line that it could be");
    let window = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() < LONGEST_LINE { Ok(Found::More) } else { Err(bad) };
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| bad)?;
    let mut words = text.split(' ').skip(1);
    let addresses = match words.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => return Ok(Found::Header(end + 2, None)),
        Some("TCP4") => told::<Ipv4Addr>(&mut words),
        Some("TCP6") => told::<Ipv6Addr>(&mut words),
        _ => None,
    };
    match (addresses, words.next()) {
        (Some(addresses), None) => Ok(Found::Header(end + 2, Some(addresses))),
        _ => Err(bad),
    }
}

fn told<'a, I>(words: &mut impl Iterator<Item = &'a str>) -> Option<Addresses>
where
    I: std::str::FromStr,
    IpAddr: From<I>,
{
    let mut ip = || Some(IpAddr::from(words.next()?.parse::<I>().ok()?));
    let (source, destination) = (ip()?, ip()?);
    let mut port = || {
        let word = words.next()?;
        let plain = word == "0" || !word.starts_with(['0', '+']);
        word.parse().ok().filter(|_| plain)
    };
    Some(Addresses {
        source: SocketAddr::new(source, port()?),
        destination: SocketAddr::new(destination, port()?),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Version, write};
    use super::*;

    fn addresses(source: &str, destination: &str) -> Addresses {
        Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn lines_of_the_specification_are_read() {
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n";
        let expected = addresses("192.168.0.1:56324", "192.168.0.11:443");
        assert_eq!(read(line), Ok(Found::Header(47, Some(expected))));
        let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
        assert_eq!(read(longest), Ok(Found::Header(longest.len(), None)));
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), Ok(Found::Header(15, None)));
        let six = addresses("[2001:db8::1]:1", "[::1]:65535");
        let line = b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n";
        assert_eq!(read(line), Ok(Found::Header(line.len(), Some(six))));
    }

    #[test]
    fn what_is_written_is_read_and_every_beginning_of_it_wants_more() {
        for version in [Version::V1, Version::V2] {
            for pair in [
                addresses("203.0.113.7:4711", "10.0.0.1:80"),
                addresses("[2001:db8::7]:4711", "[fe80::1]:80"),
            ] {
                let mut bytes = Vec::new();
                write(version, Some(pair), &mut bytes);
                assert_eq!(read(&bytes), Ok(Found::Header(bytes.len(), Some(pair))));
                for end in 0..bytes.len() {
                    assert_eq!(read(&bytes[..end]), Ok(Found::More), "{version:?} {end}");
                }
                bytes.extend_from_slice(b"GET / HTTP/1.1\r\n");
                assert_eq!(read(&bytes), Ok(Found::Header(bytes.len() - 16, Some(pair))));
            }
        }
    }

    #[test]
    fn additions_belong_to_the_header_and_are_skipped() {
        let mut bytes = Vec::new();
        write(Version::V2, Some(addresses("1.2.3.4:5", "6.7.8.9:10")), &mut bytes);
        bytes[15] += 7;
        bytes.extend_from_slice(&[0x04, 0, 4, 1, 2, 3, 4]);
        assert!(matches!(read(&bytes), Ok(Found::Header(35, Some(_)))));
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0x20, 0, 0, 0]);
        assert_eq!(read(&bytes), Ok(Found::Header(16, None)));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
            &[b"PROXY TCP4 ".as_slice(), &[b'1'; 120]].concat(),
            &[&SIGNATURE[..], &[0x11, 0x11, 0, 12], &[0; 12]].concat(),
            &[&SIGNATURE[..], &[0x22, 0x11, 0, 12], &[0; 12]].concat(),
            &[&SIGNATURE[..], &[0x21, 0x11, 0, 11], &[0; 11]].concat(),
            &[&SIGNATURE[..], &[0x21, 0x11, 255, 255]].concat(),
        ] {
            assert!(read(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn fuzz_proxy_protocol() {
        let words = [
            "PROXY ",
            "TCP4 ",
            "TCP6 ",
            "UNKNOWN",
            "\r\n",
            "1.2.3.4 ",
            "::1 ",
            "65535",
            "\0",
            "\r\n\r\n\0\r\nQUIT\n",
        ];
        crate::fuzz::fuzz("proxy_protocol", &words, |input| {
            if let Ok(Found::Header(length, _)) = read(input) {
                assert!(length <= input.len());
                assert_eq!(read(&input[..length]), read(input), "what follows the header does not matter");
            }
        });
    }
}
