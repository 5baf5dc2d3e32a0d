//! Whom a listener believes about its clients.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::HeaderName;

/// The proxies in front of a listener, and how they say who their client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Who is believed (nginx `set_real_ip_from`).
    pub proxies: Networks,
    /// Where they say it in a request (nginx `real_ip_header`).
    pub field: ClientField,
    /// Do they say it ahead of each connection too (nginx `listen ... proxy_protocol`)? Then
    /// nobody else can connect.
    pub proxy_protocol: bool,
}

/// Where a trusted proxy says in a request who its client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientField {
    /// Nowhere.
    None,
    /// `X-Forwarded-For`, to which each proxy adds who connected to it.
    XForwardedFor,
    /// `Forwarded` (RFC 7239), the same in a grammar of its own.
    Forwarded,
    /// A field with one address.
    Other(HeaderName),
}

/// Some addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Networks of IP.
    pub networks: Vec<Network>,
    /// Whoever comes over a unix socket.
    pub unix: bool,
}

impl Networks {
    /// Is this address among them? None is that of a unix socket's other end.
    #[must_use]
    pub fn contain(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(ip) => self.networks.iter().any(|network| network.contains(ip)),
            None => self.unix,
        }
    }
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// In the form of IPv6; IPv4 is mapped into it.
    first: u128,
    /// Bits that do not count.
    host_bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| "write an address or a network: `10.0.0.1`, `10.0.0.0/8`")?;
        let all = if ip.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        let bits = match bits {
            None => all,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= all).ok_or("the number after `/` is the length of the common beginning: at most 32 for IPv4, 128 for IPv6")?,
        };
        let (number, host_bits) = (number(ip), all - bits);
        let beginning = number.checked_shr(host_bits).unwrap_or(0).checked_shl(host_bits).unwrap_or(0);
        if beginning != number {
            return Err(
                "the address has bits beyond the length after `/`: write the first address of the network",
            );
        }
        Ok(Self { first: number, host_bits })
    }

    /// Does it contain this address? IPv4 mapped into IPv6 is IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        (number(ip) ^ self.first).checked_shr(self.host_bits).unwrap_or(0) == 0
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client; none on a unix socket.
    pub client: Option<SocketAddr>,
    /// Who made the connection, if that was a proxy that named its client.
    pub proxy: Option<Proxied>,
}

/// A proxy that named its client.
#[derive(Clone, Copy, Debug)]
pub struct Proxied {
    /// Its address; none on a unix socket.
    pub address: Option<SocketAddr>,
}

impl Origin {
    /// A client that connected itself.
    #[must_use]
    pub fn direct(client: Option<SocketAddr>) -> Self {
        Self { client, proxy: None }
    }

    /// Who made the connection; none on a unix socket.
    #[must_use]
    pub fn connected(&self) -> Option<SocketAddr> {
        self.proxy.map_or(self.client, |proxy| proxy.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let holds = |network, ip: &str| Network::read(network).unwrap().contains(ip.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"), "a mapped address is what it maps");
        assert!(holds("0.0.0.0/0", "203.0.113.7") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "203.0.113.7") && holds("::/0", "2001:db8::1"));
    }

    #[test]
    fn what_is_no_network_says_why() {
        let why = |text| Network::read(text).unwrap_err();
        assert!(why("proxy.example").contains("10.0.0.0/8"));
        assert!(why("10.0.0.0/33").contains("at most 32"));
        assert!(why("10.0.0.1/8").contains("first address"));
        assert!(why("::1/0").contains("first address"));
    }

    #[test]
    fn a_unix_socket_is_trusted_by_name_only() {
        let mut networks = Networks::default();
        assert!(!networks.contain(None));
        networks.unix = true;
        assert!(networks.contain(None) && !networks.contain(Some([127, 0, 0, 1].into())));
    }

    #[test]
    fn fuzz_network() {
        let words = ["/", "0", "32", "128", ".", ":", "::", "255", "ffff:"];
        crate::fuzz::fuzz("network", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            let Ok(network) = Network::read(text) else { return };
            let first = text.split('/').next().unwrap_or_default();
            assert!(network.contains(first.parse().unwrap()), "it holds the address that it is named after");
        });
    }
}
