//! Who a request comes from, behind the proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{self, HeaderName};

use super::story::Story;
use crate::listen::{ClientField, Trust};

/// A client that a trusted proxy has named.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) text: Box<str>,
}

impl Client {
    fn new(ip: IpAddr, port: u16) -> Box<Self> {
        Box::new(Self { address: SocketAddr::new(ip, port), text: ip.to_string().into() })
    }
}

impl Story {
    /// Looks behind the proxy that sent the request, if it is trusted.
    pub(super) fn look_behind(&mut self) {
        if let Some((trust, true)) = self.peer.trust() {
            self.client = behind(trust, &self.facts.headers);
            if let Some(client) = &self.client {
                self.facts.client = Some(client.address.ip());
            }
        }
    }

    /// Address of the client as text; `unix:` on a unix socket.
    pub(super) fn client_text(&self) -> &str {
        self.client.as_ref().map_or_else(|| self.peer.ip_text(), |client| &client.text)
    }

    /// Address and port of the client; none on a unix socket. A port that nobody has told is 0.
    pub(super) fn client_address(&self) -> Option<SocketAddr> {
        self.client.as_ref().map(|client| client.address).or(self.peer.origin().client)
    }

    /// May what the request says about hops before this one be passed on? Where proxies are
    /// named, only from them.
    pub(super) fn believes_hops(&self) -> bool {
        self.peer.trust().is_none_or(|(_, trusted)| trusted)
    }

    /// Was the request sent by a proxy that is trusted?
    pub(super) fn is_behind_proxy(&self) -> bool {
        self.peer.trust().is_some_and(|(_, trusted)| trusted)
    }
}

/// The last address that is no trusted proxy's, as nginx has it with `real_ip_recursive`: what
/// stands before it could have been made up by the client.
fn behind(trust: &Trust, headers: &HeaderMap) -> Option<Box<Client>> {
    let last_stranger = |nodes: &mut dyn Iterator<Item = Option<(IpAddr, u16)>>| {
        let mut found = None;
        for node in nodes {
            // Whoever wrote what is not an address, nobody can say what stands before it.
            let Some((ip, port)) = node else { break };
            found = Some((ip, port));
            if !trust.proxies.contain(Some(ip)) {
                break;
            }
        }
        found
    };
    let found = match &trust.field {
        ClientField::None => None,
        ClientField::XForwardedFor => {
            let name = HeaderName::from_static("x-forwarded-for");
            last_stranger(&mut items(headers, &name).rev().map(node))
        }
        ClientField::Forwarded => {
            last_stranger(&mut items(headers, &header::FORWARDED).rev().map(|item| node(for_of(item)?)))
        }
        ClientField::Other(name) => headers.get(name).and_then(|value| node(value.to_str().ok()?.trim())),
    };
    found.map(|(ip, port)| Client::new(ip.to_canonical(), port))
}

/// The items of a list, over all fields of the name.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'a str> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?"));
    let values: smallvec::SmallVec<[&str; 4]> = values.collect();
    values.into_iter().flat_map(|value| value.split(',').map(str::trim))
}

/// `for=` of an element of `Forwarded` (RFC 7239 section 4).
fn for_of(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?.1;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// `10.0.0.1`, `10.0.0.1:80`, `::1`, `[::1]`, `[::1]:80`; the port is 0 if there is none.
fn node(text: &str) -> Option<(IpAddr, u16)> {
    if let Ok(ip) = text.parse() {
        return Some((ip, 0));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip(), address.port()));
    }
    let literal = text.strip_prefix('[')?.strip_suffix(']')?;
    Some((IpAddr::V6(literal.parse().ok()?), 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{Network, Networks};

    fn client(field: ClientField, lines: &[(&'static str, &'static str)]) -> Option<String> {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|text| Network::read(text).unwrap());
        let proxies = Networks { networks: networks.to_vec(), unix: false };
        let trust = Trust { proxies, field, proxy_protocol: false };
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        behind(&trust, &headers.collect()).map(|client| client.address.to_string())
    }

    fn forwarded_for(lines: &[&'static str]) -> Option<String> {
        let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        client(ClientField::XForwardedFor, &lines)
    }

    #[test]
    fn the_last_stranger_is_the_client() {
        assert_eq!(forwarded_for(&["203.0.113.7"]).unwrap(), "203.0.113.7:0");
        assert_eq!(forwarded_for(&["6.6.6.6, 203.0.113.7, 10.0.0.1", "10.0.0.2"]).unwrap(), "203.0.113.7:0");
        assert_eq!(forwarded_for(&["10.0.0.1, 10.0.0.2"]).unwrap(), "10.0.0.1:0", "all are proxies");
        assert_eq!(forwarded_for(&["203.0.113.7:4711"]).unwrap(), "203.0.113.7:4711");
        assert_eq!(forwarded_for(&["[2001:db9::1]:80"]).unwrap(), "[2001:db9::1]:80");
        assert_eq!(forwarded_for(&[]), None);
    }

    #[test]
    fn nothing_before_what_is_no_address_is_believed() {
        assert_eq!(forwarded_for(&["203.0.113.7, unknown, 10.0.0.1"]).unwrap(), "10.0.0.1:0");
        assert_eq!(forwarded_for(&["203.0.113.7, "]), None);
    }

    #[test]
    fn forwarded_has_a_grammar_of_its_own() {
        let forwarded = |line| client(ClientField::Forwarded, &[("forwarded", line)]);
        assert_eq!(forwarded("for=203.0.113.7;proto=https, For=10.0.0.1").unwrap(), "203.0.113.7:0");
        assert_eq!(forwarded("proto=https;FOR=\"[2001:db9::7]:4711\"").unwrap(), "[2001:db9::7]:4711");
        assert_eq!(forwarded("for=_hidden, for=10.0.0.1").unwrap(), "10.0.0.1:0");
        assert_eq!(forwarded("by=10.0.0.1"), None);
    }

    #[test]
    fn another_field_has_one_address() {
        let name = HeaderName::from_static("x-real-ip");
        let field = ClientField::Other(name);
        assert_eq!(client(field.clone(), &[("x-real-ip", "::ffff:203.0.113.7")]).unwrap(), "203.0.113.7:0");
        assert_eq!(client(field, &[("x-real-ip", "1.2.3.4, 5.6.7.8")]), None);
    }

    #[test]
    fn fuzz_forwarded() {
        let words = [
            "for=",
            ";",
            ",",
            "\"",
            "[",
            "]",
            ":80",
            "10.0.0.1",
            "203.0.113.9",
            "2001:db8::1",
            "unknown",
            " ",
        ];
        let networks = vec![Network::read("10.0.0.0/8").unwrap()];
        let trust = |field| Trust {
            proxies: Networks { networks: networks.clone(), unix: true },
            field,
            proxy_protocol: false,
        };
        let (one, other) = (trust(ClientField::XForwardedFor), trust(ClientField::Forwarded));
        crate::fuzz::fuzz("forwarded", &words, |input| {
            let Ok(said) = http::HeaderValue::from_bytes(input) else { return };
            let seen = |name: HeaderName, last: &'static str, trust: &Trust| {
                let mut headers = HeaderMap::new();
                headers.append(&name, said.clone());
                headers.append(&name, http::HeaderValue::from_static(last));
                behind(trust, &headers).map(|client| client.address.ip().to_string())
            };
            let client = Some("198.51.100.7".to_owned());
            let name = HeaderName::from_static("x-forwarded-for");
            assert_eq!(
                seen(name, "198.51.100.7, 10.0.0.1", &one),
                client,
                "what a client writes is not believed"
            );
            assert_eq!(seen(header::FORWARDED, "for=198.51.100.7, for=10.0.0.1", &other), client);
        });
    }
}
