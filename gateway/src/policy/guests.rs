//! What the tests of this room share: the guests of `tests/guests/` and a world to put them in.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::{Ask, Birth, Choice, Engine, Facts, Fault, Instance, Limits, LoadError, Policy};
use crate::stats::UpstreamStats;
use crate::upstream::{Backend, Candidates};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

pub(super) fn engine() -> &'static Engine {
    &ENGINE
}

/// The text of a guest.
pub(super) fn text(guest: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/guests/{guest}.wat"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A guest as a core module.
pub(super) fn assembled(guest: &str) -> Vec<u8> {
    super::text::assemble(guest, str::from_utf8(&text(guest)).unwrap()).unwrap()
}

pub(super) fn load(guest: &str) -> Arc<Policy> {
    load_as(guest, guest)
}

pub(super) fn load_as(name: &str, guest: &str) -> Arc<Policy> {
    Policy::load(engine(), name, &text(guest)).unwrap_or_else(|error| panic!("{guest}: {error}"))
}

pub(super) fn load_error(guest: &str) -> LoadError {
    Policy::load(engine(), guest, &text(guest)).unwrap_err()
}

/// Backends `10.0.0.1:80` and so on, of which the first `down` are out of service.
pub(super) fn candidates_with_down(up: usize, down: usize) -> Arc<Candidates> {
    let backends: Vec<_> = (0..up + down).map(|n| Arc::new(backend(n, n < down))).collect();
    Arc::new(Candidates::of("chat".into(), Arc::new(UpstreamStats::default()), &backends))
}

pub(super) fn candidates(number: usize) -> Arc<Candidates> {
    candidates_with_down(number, 0)
}

fn backend(number: usize, down: bool) -> Backend {
    let name = format!("10.0.0.{}:80", number + 1);
    Backend { down, ..Backend::new(&name, name.parse().unwrap(), number) }
}

pub(super) fn birth_of(candidates: Arc<Candidates>) -> Birth<'static> {
    Birth { options: "{}", candidates, seed: 7, state: None, limits: Limits::default() }
}

pub(super) fn birth(number: usize) -> Birth<'static> {
    birth_of(candidates(number))
}

/// An instance of a guest over three backends.
pub(super) fn born(guest: &str) -> Instance {
    load(guest).instantiate(birth(3)).unwrap_or_else(|error| panic!("{guest}: {error}"))
}

pub(super) fn pick(instance: &mut Instance) -> Result<Choice, Fault> {
    instance.pick(&Ask { now: 1, ..Ask::default() }, &mut Facts::default())
}
