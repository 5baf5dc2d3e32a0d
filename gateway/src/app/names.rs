//! Names that stand for several backends, looked up again and again.
//!
//! A name with one address is one backend, whatever the address is today: its resolver follows it.
//! A name with several addresses is several backends, and when they change so do the backends.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;

use super::shared::Shared;
use crate::config::model;
use crate::upstream::Address;

/// All lookups together may take so long when the gateway starts or reloads: a name that is not
/// known by then is one backend, to be looked up when it is needed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A name and a port.
pub(super) type Name = (Box<str>, u16);

/// What names stand for, as far as is known.
pub(super) type Names = HashMap<Name, Arc<[SocketAddr]>>;

/// The names in a configuration.
pub(super) fn names(config: &model::Config) -> Vec<Name> {
    let backends = config.upstreams.iter().flat_map(|upstream| &upstream.backends);
    let mut names: Vec<Name> = backends.filter_map(|backend| name_of(&backend.address)).collect();
    names.sort();
    names.dedup();
    names
}

fn name_of(address: &Address) -> Option<Name> {
    match address {
        Address::Tcp { host, port } if host.parse::<std::net::IpAddr>().is_err() => {
            Some((host.clone(), *port))
        }
        _ => None,
    }
}

/// The backends that an upstream has. Where clients are sent to, and not served from, they look the
/// names up themselves.
pub(super) fn backends(upstream: &model::Upstream, names: &Names) -> Vec<model::Backend> {
    match upstream.redirect {
        Some(_) => upstream.backends.clone(),
        None => upstream.backends.iter().flat_map(|entry| expand(entry, names)).collect(),
    }
}

/// The backends that one entry of the configuration stands for.
fn expand(configured: &model::Backend, names: &Names) -> Vec<model::Backend> {
    let found = name_of(&configured.address).and_then(|name| names.get(&name));
    let several = found.map_or(&[][..], |addresses| several(addresses));
    if several.is_empty() {
        return vec![configured.clone()];
    }
    let one = |address: &SocketAddr| model::Backend {
        name: address.to_string().into(),
        address: Address::Tcp { host: address.ip().to_string().into(), port: address.port() },
        ..configured.clone()
    };
    several.iter().map(one).collect()
}

/// The addresses that are backends of their own; none if they are one backend. A host that has an
/// address of each family is one; of several hosts the family with more addresses is taken, IPv4
/// before IPv6, so that nobody counts twice.
fn several(addresses: &[SocketAddr]) -> &[SocketAddr] {
    let (v4, v6) = addresses.split_at(addresses.partition_point(SocketAddr::is_ipv4));
    match v4.len().max(v6.len()) {
        0 | 1 => &[],
        most if v4.len() == most => v4,
        _ => v6,
    }
}

/// Looks all of them up, for at most a while: what was found.
pub(super) fn look_up(names: Vec<Name>) -> Names {
    if names.is_empty() {
        return Names::new();
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return Names::new();
    };
    let found = runtime.block_on(async {
        let mut found = Names::new();
        let mut lookups = JoinSet::new();
        for name in names {
            lookups.spawn(async move { (look_up_one(&name).await, name) });
        }
        let all = async {
            while let Some(looked_up) = lookups.join_next().await {
                if let Ok((Ok(addresses), name)) = looked_up {
                    found.insert(name, addresses);
                }
            }
        };
        // Those that are late are looked up again later.
        let _ = tokio::time::timeout(PATIENCE, all).await;
        found
    });
    runtime.shutdown_background();
    found
}

/// In a fixed order: servers of names turn their answers round to spread clients.
async fn look_up_one((host, port): &Name) -> io::Result<Arc<[SocketAddr]>> {
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host((&**host, *port)).await?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses.into())
}

/// Starts the thread that looks names up again and again. It ends when the gateway is gone.
pub(super) fn start(gateway: &Arc<Shared>) -> io::Result<()> {
    let gateway = Arc::downgrade(gateway);
    thread::Builder::new().name("names".into()).spawn(move || follow(&gateway))?;
    Ok(())
}

fn follow(gateway: &Weak<Shared>) {
    loop {
        let Some(strong) = gateway.upgrade() else { return };
        let (interval, wanted) = {
            let control = strong.control();
            (control.config().resolve_interval, names(control.config()))
        };
        drop(strong);
        thread::sleep(interval);
        let found = look_up(wanted);
        let Some(strong) = gateway.upgrade() else { return };
        strong.control().take_up_names(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = list.iter().map(|text| text.parse().unwrap()).collect();
        addresses.sort_unstable();
        addresses
    }

    #[test]
    fn a_host_with_an_address_of_each_family_is_one_backend() {
        assert!(several(&addresses(&["127.0.0.1:80", "[::1]:80"])).is_empty());
        assert!(several(&addresses(&["10.0.0.1:80"])).is_empty());
        assert!(several(&[]).is_empty());
    }

    #[test]
    fn several_addresses_of_a_family_are_several_backends() {
        let both = addresses(&["[fd00::1]:80", "10.0.0.2:80", "10.0.0.1:80", "[fd00::2]:80"]);
        assert_eq!(several(&both), addresses(&["10.0.0.1:80", "10.0.0.2:80"]));
        let more = addresses(&["[fd00::1]:80", "10.0.0.2:80", "[fd00::2]:80"]);
        assert_eq!(several(&more), addresses(&["[fd00::1]:80", "[fd00::2]:80"]));
    }

    #[test]
    fn each_has_what_was_configured_for_the_name_and_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pointsman.toml");
        let text = "[[listen]]\naddress = '8080'\n[[route]]\nupstream = 'a'\n[upstream.a]\nbackends = [{ address = 'web:80', weight = 3 }, '10.0.0.9:80']\n";
        std::fs::write(&path, text).unwrap();
        let config = crate::config::load(&path).unwrap().config;
        assert_eq!(names(&config), [("web".into(), 80)]);

        let found = addresses(&["10.0.0.2:80", "10.0.0.1:80"]);
        let known = Names::from([(("web".into(), 80), found.into())]);
        let all: Vec<_> = config.upstreams[0].backends.iter().flat_map(|b| expand(b, &known)).collect();
        let shown: Vec<_> = all.iter().map(|backend| (&*backend.name, backend.weight)).collect();
        assert_eq!(shown, [("10.0.0.1:80", 3), ("10.0.0.2:80", 3), ("10.0.0.9:80", 1)]);
        let unknown = expand(&config.upstreams[0].backends[0], &Names::new());
        assert_eq!((unknown.len(), &*unknown[0].name), (1, "web:80"));
    }

    #[test]
    fn a_name_that_nobody_knows_stops_nothing() {
        let found = look_up(vec![("nowhere.invalid".into(), 80), ("localhost".into(), 80)]);
        assert!(!found.contains_key(&("nowhere.invalid".into(), 80)));
        assert!(found.contains_key(&("localhost".into(), 80)));
    }
}
