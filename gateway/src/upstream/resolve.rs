//! Names to addresses, kept fresh without holding up a request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

use super::Address;
use crate::stats::clock;

/// A name is looked up again when its addresses are older than this, microseconds.
const FRESH: u64 = 10_000_000;

/// The addresses behind one backend's name. A literal address is its own answer for ever. A name
/// is looked up when it is first needed and, once it is known, in the background: the old
/// addresses serve until the new ones are there. A name that cannot be resolved never stops the
/// gateway from starting; it fails the attempt, as a refused connection does.
#[derive(Debug)]
pub struct Resolver {
    name: Box<str>,
    port: u16,
    literal: bool,
    known: ArcSwapOption<Vec<SocketAddr>>,
    looked_up: AtomicU64,
    looking: AtomicBool,
    preferred: AtomicUsize,
}

impl Resolver {
    /// For an address of the configuration.
    #[must_use]
    pub fn new(address: &Address) -> Arc<Self> {
        let (name, port) = match address {
            Address::Tcp { host, port } => (host.clone(), *port),
            Address::Unix(_) => (Box::default(), 0),
        };
        let literal: Option<IpAddr> = name.parse().ok();
        Arc::new(Self {
            known: ArcSwapOption::from_pointee(literal.map(|ip| vec![SocketAddr::new(ip, port)])),
            literal: literal.is_some(),
            name,
            port,
            looked_up: AtomicU64::new(0),
            looking: AtomicBool::new(false),
            preferred: AtomicUsize::new(0),
        })
    }

    /// The addresses known now, looked up if there are none yet.
    ///
    /// # Errors
    /// What the resolver of the system says about the name.
    pub async fn addresses(self: &Arc<Self>) -> io::Result<Arc<Vec<SocketAddr>>> {
        let Some(known) = self.known.load_full() else {
            return self.look_up().await;
        };
        let stale = !self.literal && clock::now() - self.looked_up.load(Relaxed) > FRESH;
        if stale && !self.looking.swap(true, Relaxed) {
            let resolver = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = resolver.look_up().await {
                    tracing::warn!("{}: {error}; its last known addresses stay in use", resolver.name);
                }
                resolver.looking.store(false, Relaxed);
            });
        }
        Ok(known)
    }

    async fn look_up(&self) -> io::Result<Arc<Vec<SocketAddr>>> {
        let found = tokio::net::lookup_host((&*self.name, self.port)).await;
        self.looked_up.store(clock::now(), Relaxed);
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let addresses = Arc::new(addresses);
        self.known.store(Some(Arc::clone(&addresses)));
        Ok(addresses)
    }

    /// Index of the address that answered last.
    #[must_use]
    pub fn preferred(&self) -> usize {
        self.preferred.load(Relaxed)
    }

    /// Remembers the address that answered.
    pub fn prefer(&self, index: usize) {
        if self.preferred() != index {
            self.preferred.store(index, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Resolver;

    async fn resolve(address: &str) -> Vec<String> {
        let resolver = Resolver::new(&address.parse().unwrap());
        let found = resolver.addresses().await.unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_literal_address_is_its_own_answer() {
        assert_eq!(resolve("127.0.0.1:80").await, ["127.0.0.1:80"]);
        assert_eq!(resolve("[::1]:80").await, ["[::1]:80"]);
    }

    #[tokio::test]
    async fn localhost_has_no_address_twice() {
        let found = resolve("localhost:9111").await;
        assert!(found.contains(&"127.0.0.1:9111".to_owned()), "{found:?}");
        let mut unique = found.clone();
        unique.dedup();
        assert_eq!(found, unique);
    }
}
