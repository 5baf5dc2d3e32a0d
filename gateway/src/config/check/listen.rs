//! Listeners, and the address of the admin pages.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::trust::trust;
use super::{Top, tls};
use crate::config::fields::{Fields, Text};
use crate::config::file::{Node, Value};
use crate::config::keys;
use crate::config::model::{Listen, ListenAddress};
use crate::config::place::Place;
use crate::config::problems::Findings;

/// A path of a unix socket has at most so many bytes on Linux (`sun_path`, unix(7), with its
/// closing zero).
const SOCKET_PATH: usize = 107;

/// All listeners, and the address of `[admin]`.
pub(super) fn listeners(
    main: &Top<'_>,
    tops: &[&Top<'_>],
    findings: &mut Findings,
) -> (Vec<Listen>, Option<SocketAddr>) {
    let mut list = Vec::new();
    for top in tops {
        for fields in top.tables(&keys::LISTEN, "listen", findings) {
            list.extend(listener(&fields, findings));
        }
    }
    if !tops.iter().any(|top| top.has("listen")) {
        let help = "add `[[listen]]` with `address = \"0.0.0.0:8080\"`";
        findings.error(main.fields.place, "there is no listener", help);
    }
    let admin = admin(main, findings);
    let admin_address = admin.map(|(address, place)| (ListenAddress::Tcp(address), place));
    let all = list.iter().map(|l: &Listen| (l.address.clone(), l.place)).chain(admin_address);
    overlaps(&all.collect::<Vec<_>>(), findings);
    twins(&list, findings);
    (list, admin.map(|(address, _)| address))
}

fn listener(fields: &Fields<'_>, findings: &mut Findings) -> Option<Listen> {
    let backlog = fields.number("backlog", findings).unwrap_or_default();
    let trust = trust(fields, findings);
    let (refusing, tls) = tls::of_listener(fields, findings);
    let node = fields.required("address", findings)?;
    let address = address(fields, node, findings)?;
    // A listener must never fall back to clear text; with errors nothing runs anyway.
    let backlog = u32::try_from(backlog).unwrap_or_default();
    (!refusing).then_some(Listen { address, backlog, trust, tls, place: node.place })
}

fn admin(main: &Top<'_>, findings: &mut Findings) -> Option<(SocketAddr, Place)> {
    main.fields.get("admin")?;
    let fields = main.table(&keys::ADMIN, "admin", findings);
    let node = fields.required("address", findings)?;
    match address(&fields, node, findings)? {
        ListenAddress::Tcp(address) => Some((address, node.place)),
        ListenAddress::Unix(_) => {
            let message = "`[admin]` is for a TCP address";
            findings.error(
                node.place,
                message,
                "for a unix socket there is `control`, at the top of the main file",
            );
            None
        }
    }
}

fn address(fields: &Fields<'_>, node: &Node, findings: &mut Findings) -> Option<ListenAddress> {
    if let Value::Integer(number) = node.value {
        let port = u16::try_from(number).ok();
        return port.map(any_host).or_else(|| refused(node.place, &number.to_string(), findings));
    }
    let text = fields.text("address", findings)?;
    match text.after("unix:") {
        Some(path) => socket(fields, path, findings).map(ListenAddress::Unix),
        None => tcp(text.text).or_else(|| refused(node.place, text.text, findings)),
    }
}

fn refused<T>(place: Place, text: &str, findings: &mut Findings) -> Option<T> {
    let help = "write an IP address and a port: `127.0.0.1:8080`, `[::1]:8080`, `8080` (all of IPv4), or `unix:/run/a.sock`";
    findings.error(place, format!("cannot listen on `{text}`"), help);
    None
}

/// `1.2.3.4:80`, `[::]:80`; `80`, `:80` and `*:80` are all addresses of IPv4, as in nginx.
fn tcp(text: &str) -> Option<ListenAddress> {
    if let Ok(address) = text.parse() {
        return Some(ListenAddress::Tcp(address));
    }
    let port = text.strip_prefix("*:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    port.parse().ok().map(any_host)
}

fn any_host(port: u16) -> ListenAddress {
    ListenAddress::Tcp(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
}

/// The path of a unix socket, relative to the folder of the file, no longer than the system allows.
pub(super) fn socket(fields: &Fields<'_>, text: Text<'_>, findings: &mut Findings) -> Option<PathBuf> {
    if text.text.is_empty() {
        findings.error(text.place, "`unix:` needs the path of a socket", "for example `unix:/run/a.sock`");
        return None;
    }
    let path = fields.path_of(text, findings)?;
    let length = path.as_os_str().len();
    if length > SOCKET_PATH {
        let message = format!("the path of this socket has {length} bytes, more than {SOCKET_PATH}");
        findings.error(text.place, message, "choose a shorter path");
        return None;
    }
    Some(path)
}

fn overlaps(all: &[(ListenAddress, Place)], findings: &mut Findings) {
    for (index, (address, place)) in all.iter().enumerate() {
        let earlier = all[..index].iter().find(|(other, _)| overlap(address, other));
        if let Some((_, first)) = earlier {
            let help = "give each listener an address of its own";
            findings.error(*place, "two listeners want this address", help).with(*first, "taken here");
        }
    }
}

/// Port 0 may stand in several listeners with one address. What is known of a listener is known by
/// its address, so these cannot be told apart: they must believe the same proxies, and TLS must not
/// end up on the wrong one.
fn twins(list: &[Listen], findings: &mut Findings) {
    for (index, listener) in list.iter().enumerate() {
        let port = matches!(&listener.address, ListenAddress::Tcp(address) if address.port() == 0);
        let twin = list[..index].iter().find(|other| port && other.address == listener.address);
        let Some(first) = twin else { continue };
        if listener.tls.is_some() || first.tls.is_some() {
            let help = "give each listener with TLS a port, or an address of its own";
            let message = "with TLS, a free port can be asked for only once at an address";
            findings.error(listener.place, message, help).with(first.place, "the first time");
        }
        if listener.trust != first.trust {
            let help =
                "give them ports, or the same `trusted_proxies`, `real_ip_header` and `proxy_protocol`";
            let message = "two listeners at one address believe different proxies";
            findings.error(listener.place, message, help).with(first.place, "the other");
        }
    }
}

/// Whether two listeners would want the same connections.
fn overlap(a: &ListenAddress, b: &ListenAddress) -> bool {
    match (a, b) {
        (ListenAddress::Tcp(a), ListenAddress::Tcp(b)) => {
            let all = |ip: IpAddr| ip.is_unspecified();
            let hosts = a.ip() == b.ip() || (a.is_ipv4() == b.is_ipv4() && (all(a.ip()) || all(b.ip())));
            a.port() != 0 && a.port() == b.port() && hosts
        }
        (ListenAddress::Unix(a), ListenAddress::Unix(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{ListenAddress, overlap, tcp};

    fn at(text: &str) -> ListenAddress {
        tcp(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_port_alone_is_all_of_ipv4() {
        for text in ["8080", ":8080", "*:8080", "0.0.0.0:8080"] {
            assert_eq!(at(text), at("0.0.0.0:8080"));
        }
        for text in ["", ":", "localhost:80", "70000", "::80", "1.2.3.4", "[::1]"] {
            assert_eq!(tcp(text), None, "{text}");
        }
    }

    #[test]
    fn all_addresses_overlap_with_one_of_the_same_family() {
        assert!(overlap(&at("80"), &at("127.0.0.1:80")));
        assert!(overlap(&at("[::1]:80"), &at("[::]:80")));
        assert!(!overlap(&at("80"), &at("[::]:80")));
        assert!(!overlap(&at("80"), &at("81")));
        assert!(!overlap(&at("127.0.0.1:0"), &at("127.0.0.1:0")), "port 0 is another port each time");
    }
}
