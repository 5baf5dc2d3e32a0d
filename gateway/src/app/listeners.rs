//! TLS of the listeners, from a configuration to what is in force.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Loaded, Problems};
use crate::listen;
use crate::listen::tls::{Terminator, Terms};

/// What is in force on each listener; on those without TLS too, which may get it with a reload.
pub(super) type Terminators = HashMap<listen::Address, Arc<Terminator>>;

/// Terms for each listener of a configuration, not in force yet.
pub(super) type Prepared = Vec<(listen::Address, Option<Arc<Terms>>)>;

/// Prepares TLS for all listeners of a configuration.
///
/// # Errors
/// What cannot be done, with the place of the listener.
pub(super) fn prepare(terminators: &Terminators, loaded: &Loaded) -> Result<Prepared, Problems> {
    let mut problems = Problems::new(Arc::clone(&loaded.sources));
    let fresh = Terminator::default();
    let mut prepared = Vec::new();
    for listener in &loaded.config.listen {
        let terminator = terminators.get(&listener.address).map_or(&fresh, |known| known);
        match listener.tls.as_ref().map(|settings| terminator.prepare(settings)).transpose() {
            Ok(terms) => prepared.push((listener.address.clone(), terms)),
            Err(error) => problems.add(listener.place, format!("TLS: {error}"), ""),
        }
    }
    if problems.is_empty() { Ok(prepared) } else { Err(problems) }
}

/// Puts them in force. Listeners that stay keep their terminators, and with them connections that
/// are in the middle of a handshake.
pub(super) fn put(before: &Terminators, prepared: Prepared) -> Terminators {
    let mut terminators = Terminators::new();
    for (address, terms) in prepared {
        let terminator = before.get(&address).cloned().unwrap_or_default();
        terminator.put(terms);
        terminators.insert(address, terminator);
    }
    terminators
}
