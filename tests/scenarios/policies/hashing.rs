//! ip_hash, hash and consistent hash.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use crate::harness::{Backend, Gateway, Wire, backends, gateway};

const NAMES: [&str; 5] = ["0", "1", "2", "3", "4"];

/// Who answers for each of `count` targets.
fn mapping(gateway: &Gateway, count: usize) -> HashMap<String, String> {
    (0..count).map(|i| format!("/u/{i}")).map(|path| (path.clone(), gateway.get(&path).backend())).collect()
}

fn five(policy: &str) -> ([Backend; 5], Gateway) {
    let servers = backends(NAMES);
    let gateway =
        gateway().upstream("api", &servers).policy(policy).with("hash_key = \"$request_uri\"").start();
    (servers, gateway)
}

/// nginx: `(crc32(key) >> 16) & 0x7fff`, modulo the weights (`ngx_http_upstream_hash_module.c`).
#[test]
fn plain_hash_maps_as_nginx_does() {
    let (_servers, gateway) = five("hash");
    for (path, expected) in [("/u/0", "2"), ("/u/4", "1")] {
        assert_eq!(gateway.get(path).backend(), expected, "recorded from nginx 1.22");
    }
    for (path, backend) in mapping(&gateway, 40) {
        let slot = (crc32fast::hash(path.as_bytes()) >> 16 & 0x7fff) % 5;
        assert_eq!(backend, slot.to_string(), "{path}");
    }
}

#[test]
fn a_key_stays_with_its_backend() {
    for policy in ["hash", "{ use = \"hash\", consistent = true }"] {
        let (_servers, gateway) = five(policy);
        assert_eq!(mapping(&gateway, 30), mapping(&gateway, 30), "{policy}");
    }
}

#[test]
fn consistent_hash_moves_only_the_keys_of_who_left() {
    let (servers, gateway) = five("{ use = \"hash\", consistent = true }");
    let before = mapping(&gateway, 120);
    let gone = servers[2].to_string();
    gateway.rewrite(|text| text.replace(&format!("\"{gone}\", "), ""));
    gateway.reload();

    let after = mapping(&gateway, 120);
    for (path, backend) in &before {
        assert!(backend == "2" || after[path] == *backend, "{path} moved from {backend} to {}", after[path]);
    }
    assert!(after.values().all(|backend| backend != "2"));
    assert!(before.values().any(|backend| backend == "2"), "there was something to move");
}

#[test]
fn a_backend_that_refuses_costs_a_key_nothing_but_time() {
    let (mut servers, gateway) = five("{ use = \"hash\", consistent = true }");
    let before = mapping(&gateway, 40);
    servers[1].stop();

    for (path, backend) in mapping(&gateway, 40) {
        assert!(!backend.is_empty() && backend != "1", "{path} at {backend:?}");
        assert!(before[&path] == "1" || before[&path] == backend, "{path} moved needlessly");
    }
}

/// nginx: three octets, `h = (h * 113 + octet) % 6271` from 89 (`ngx_http_upstream_ip_hash_module.c`).
#[test]
fn ip_hash_maps_as_nginx_does() {
    let servers = backends(NAMES);
    let gateway = gateway().upstream("api", &servers).policy("ip_hash").start();
    for network in 0..20 {
        for host in [1, 99] {
            let client = Ipv4Addr::new(127, 0, network, host);
            let hash = [127, 0, u32::from(network)].iter().fold(89, |h, octet| (h * 113 + octet) % 6271);
            assert_eq!(get_from(client, &gateway), (hash % 5).to_string(), "{client}");
        }
    }
}

/// The name of the backend that answers a client at this address.
fn get_from(client: Ipv4Addr, gateway: &Gateway) -> String {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((client, 0)).into()).expect("all of 127/8 is ours");
    let to: SocketAddr = gateway.address().parse().expect("an address");
    socket.connect(&to.into()).expect("the gateway listens");
    let mut wire = Wire::of_tcp(socket.into());
    wire.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    wire.answer().backend()
}
