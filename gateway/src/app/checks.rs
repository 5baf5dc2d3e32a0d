//! Running active checks, on a thread of their own: a slow backend delays nobody.

use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};

use crate::forward::Generation;
use crate::proxy_protocol;
use crate::upstream::Backend;
use crate::upstream::check::{Check, watch};
use crate::upstream::health::Health;

/// Who is to be checked, and how. It ends the checks when it is dropped.
#[derive(Debug)]
pub(super) struct Checks {
    orders: UnboundedSender<Vec<Job>>,
}

#[derive(Debug)]
struct Job {
    backend: Arc<Backend>,
    health: Arc<Health>,
    check: Check,
    /// What a connection begins with, if the backend expects the PROXY protocol.
    greeting: Vec<u8>,
}

impl Job {
    /// The same backend, checked in the same way?
    fn is_as(&self, other: &Self) -> bool {
        self.backend.slot == other.backend.slot
            && self.check == other.check
            && self.greeting == other.greeting
    }
}

impl Checks {
    /// Starts the thread. Nothing is checked yet.
    pub(super) fn start() -> std::io::Result<Self> {
        let (orders, receiver) = unbounded_channel();
        thread::Builder::new().name("checks".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(obey(receiver)),
                Err(error) => tracing::error!("there are no active checks: {error}"),
            }
        })?;
        Ok(Self { orders })
    }

    /// Checks what this generation wants checked. What was checked in the same way before goes on.
    pub(super) fn follow(&self, generation: &Generation) {
        let jobs = generation.upstreams.iter().flat_map(|upstream| {
            let check = upstream.settings.check.as_ref();
            let backends = upstream.backends.iter().filter(|backend| !backend.down);
            backends.filter_map(move |backend| {
                let (backend, health) = (Arc::clone(backend), Arc::clone(&upstream.health));
                let mut greeting = Vec::new();
                if let Some(version) = upstream.settings.proxy_protocol {
                    // A check has no client to tell of.
                    proxy_protocol::write(version, None, &mut greeting);
                }
                Some(Job { backend, health, check: check?.clone(), greeting })
            })
        });
        // The thread lives as long as this.
        let _ = self.orders.send(jobs.collect());
    }
}

async fn obey(mut orders: UnboundedReceiver<Vec<Job>>) {
    let mut running: Vec<(Job, JoinHandle<()>)> = Vec::new();
    while let Some(jobs) = orders.recv().await {
        running.retain(|(job, task)| {
            let stays = jobs.iter().any(|wanted| wanted.is_as(job));
            if !stays {
                task.abort();
            }
            // Who is not checked any more is not held to what the last checks have found.
            if !jobs.iter().any(|wanted| wanted.backend.slot == job.backend.slot) {
                job.health.forget_checks(&job.backend);
            }
            stays
        });
        for job in jobs {
            if !running.iter().any(|(other, _)| other.is_as(&job)) {
                let (backend, health) = (Arc::clone(&job.backend), Arc::clone(&job.health));
                let task = spawn_local(watch(backend, job.check.clone(), job.greeting.clone(), health));
                running.push((job, task));
            }
        }
    }
}
