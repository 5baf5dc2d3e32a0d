//! The listeners that are open, and how they come and go with reloads.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{Control, Listener, Refused};
use crate::app::settings::hint;
use crate::config::Problems;
use crate::listen::{self, Bound, Inherited};

impl Control {
    /// A hold on every listening socket, for a successor.
    pub(in crate::app) fn sockets(&self) -> std::io::Result<Vec<OwnedFd>> {
        let sockets = self.listeners.iter().flat_map(|listener| &listener.sockets);
        sockets.map(|socket| socket.try_clone().map(OwnedFd::from)).collect()
    }

    /// Sockets that were passed to this process and that no listener wants.
    pub(in crate::app) fn take_inherited(&mut self) -> Inherited {
        std::mem::take(&mut self.inherited)
    }

    /// Binds the listeners that are configured and not yet open.
    pub(in crate::app) fn bind_new(&mut self) -> Result<Vec<(listen::Address, Vec<Bound>)>, Refused> {
        let config = &self.loaded.config;
        let mut opened = Vec::new();
        let mut problems = Problems::new(Arc::clone(&self.loaded.sources));
        for listener in &config.listen {
            if self.listeners.iter().any(|open| open.address == listener.address) {
                continue;
            }
            let backlog = i32::try_from(listener.backlog).unwrap_or(i32::MAX);
            let workers = config.workers.get();
            let bound = match self.inherited.claim(&listener.address) {
                passed if passed.is_empty() => Bound::bind(&listener.address, backlog, workers),
                passed => Bound::spread(passed, workers),
            };
            let held = bound.and_then(|bound| {
                let held = bound.iter().map(Bound::try_clone).collect::<std::io::Result<Vec<_>>>()?;
                Ok((bound, held))
            });
            match held {
                Ok((bound, held)) => opened.push((listener.address.clone(), bound, held)),
                Err(error) => problems.add(
                    listener.place,
                    format!("cannot listen on {}: {error}", listener.address),
                    hint(&error),
                ),
            }
        }
        if !problems.is_empty() {
            return Err(problems.to_string());
        }
        let mut new = Vec::new();
        for (address, bound, sockets) in opened {
            self.news.push(match bound.first().and_then(Bound::address) {
                Some(bound) => format!("listening on {bound}"),
                None => format!("listening on {address}"),
            });
            self.listeners.push(Listener { address: address.clone(), sockets });
            new.push((address, bound));
        }
        Ok(new)
    }

    /// Says where the gateway listens since it was last said. Whoever reads it can count on
    /// everything else being ready.
    pub(in crate::app) fn announce(&mut self) {
        self.news.drain(..).for_each(|news| tracing::info!("{news}"));
    }

    pub(in crate::app) fn close_old(&mut self) -> Vec<listen::Address> {
        let wanted: Vec<_> =
            self.loaded.config.listen.iter().map(|listener| listener.address.clone()).collect();
        let closed = self.listeners.extract_if(.., |open| !wanted.contains(&open.address));
        closed.map(|open| open.address).collect()
    }
}
