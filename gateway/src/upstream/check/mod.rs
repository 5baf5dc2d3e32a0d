//! Active checks: asking a backend whether it is well, without a client's request.

mod grpc;
mod http;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::health::Health;
use super::{Address, Backend, Resolver, connect};
use pace::{Streak, Turn, jittered};

/// How the backends of an upstream are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// Another port than that of the requests.
    pub port: Option<u16>,
    /// From the end of one check to the beginning of the next.
    pub interval: Duration,
    /// Percent of the interval by which it varies, so that gateways do not check in step.
    pub jitter: u32,
    /// For a whole check.
    pub timeout: Duration,
    /// Passed checks in a row after which a backend that failed is well again.
    pub rise: u32,
    /// Failed checks in a row after which a backend is not well.
    pub fall: u32,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Does it take connections?
    Tcp,
    /// Does it answer a GET as expected?
    Http(HttpProbe),
    /// What does it say of itself? The gRPC health checking protocol, over HTTP/2.
    Grpc {
        /// Name of the service; empty for the whole server.
        service: Box<str>,
    },
}

/// A GET and what is expected of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// Path and query.
    pub path: Box<str>,
    /// The `Host` field; none: the backend's name.
    pub host: Option<Box<str>>,
    /// Statuses, from and to.
    pub statuses: Box<[(u16, u16)]>,
    /// What the first 64 KiB of the body must contain.
    pub body: Option<Box<str>>,
}

/// Checks a backend for ever. It counts as well until it has failed. Each connection begins with
/// `greeting`.
pub async fn watch(backend: Arc<Backend>, check: Check, greeting: Vec<u8>, health: Arc<Health>) {
    let target = target(&backend, check.port);
    let mut streak = Streak::default();
    loop {
        let result = once(&target, &check, &greeting).await;
        backend.condition.count_check(result.is_ok());
        let now = crate::stats::clock::now();
        match (streak.note(result.is_ok(), check.rise, check.fall), result) {
            (Some(Turn::Fell), Err(why)) => health.set_failing(&backend, true, &why, now),
            (Some(Turn::Rose), _) => health.set_failing(&backend, false, "", now),
            _ => {}
        }
        sleep(jittered(check.interval, check.jitter)).await;
    }
}

/// One check; why it failed, if it did.
async fn once(target: &Backend, check: &Check, greeting: &[u8]) -> Result<(), String> {
    let probe = async {
        let stream = connect(target, greeting).await.map_err(|error| error.to_string())?;
        match &check.probe {
            Probe::Tcp => Ok(()),
            Probe::Http(probe) => http::ask(stream, probe, &target.name).await,
            Probe::Grpc { service } => grpc::ask(stream, service, &target.name).await,
        }
    };
    let late = || format!("no answer within {:?}", check.timeout);
    timeout(check.timeout, probe).await.unwrap_or_else(|_| Err(late()))
}

/// The backend, at the port for checks.
fn target(backend: &Backend, port: Option<u16>) -> Backend {
    match (&backend.address, port) {
        (Address::Tcp { host, .. }, Some(port)) => {
            let address = Address::Tcp { host: host.clone(), port };
            Backend { resolver: Resolver::new(&address), address, ..backend.clone() }
        }
        _ => backend.clone(),
    }
}
