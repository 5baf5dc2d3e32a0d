//! The configuration: from a file to values that cannot be wrong.
//!
//! Two steps. `file` takes what the user wrote, with the place of every value; `check` turns it
//! into the [`model`]. In between, `fields` reads tables by the rules in `keys`, which is the one
//! place that lists every key with its type and default. All problems are gathered and shown
//! together, each with a caret under the place and a word on how to mend it.
//!
//! The text is parsed into a tree of values with places rather than deserialised into structs:
//! a deserialiser stops at the first mistake.

mod check;
mod control;
mod env;
mod fields;
mod file;
mod include;
mod keys;
pub mod model;
mod nearest;
mod place;
mod problems;
#[cfg(test)]
mod tests;
mod units;

use std::path::Path;
use std::sync::Arc;

pub use control::control_of;
pub use model::Config;
pub use nearest::did_you_mean;
pub use place::{Place, Sources};
pub use problems::Problems;

use check::Top;
use env::Environment;
use file::Reader;

/// A configuration that is free of errors.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What can hardly be meant, but does no harm.
    pub warnings: Problems,
    /// The files it was read from. [`Problems::new`] takes them for what shows later.
    pub sources: Arc<Sources>,
}

/// Reads the configuration in the file `path` and in those it includes. References to the
/// environment are those of this process.
///
/// # Errors
///
/// All that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, &|name| std::env::var(name).ok())
}

/// The same with another environment.
///
/// # Errors
///
/// All that is wrong with it.
pub fn load_with(path: &Path, environment: Environment<'_>) -> Result<Loaded, Problems> {
    let (loaded, errors) = examine_with(path, environment);
    match loaded {
        Some(loaded) if errors.is_empty() => Ok(loaded),
        _ => Err(errors),
    }
}

/// Reads the configuration and goes on in spite of errors: what could be read, with defaults in
/// place of what could not, and all that is wrong. For checks that want to go further; nothing
/// may run from it unless there are no errors.
#[must_use]
pub fn examine(path: &Path) -> (Option<Loaded>, Problems) {
    examine_with(path, &|name| std::env::var(name).ok())
}

fn examine_with(path: &Path, environment: Environment<'_>) -> (Option<Loaded>, Problems) {
    let mut reader = Reader::new(environment);
    let config = reader.read(path, None).map(|main| read_all(path, &main, &mut reader));
    let sources = Arc::new(reader.sources);
    let failed = reader.findings.has_errors();
    let found = reader.findings.into_problems(Arc::clone(&sources));
    let none = Problems::new(Arc::clone(&sources));
    let (errors, warnings) = if failed { (found, none) } else { (none, found) };
    (config.map(|config| Loaded { config, warnings, sources }), errors)
}

fn read_all(path: &Path, main: &file::File, reader: &mut Reader<'_>) -> Config {
    let main = Top::new(&keys::TOP, main, &mut reader.findings);
    let patterns = main.fields.texts("include", &mut reader.findings);
    let included = reader.include(path, &patterns);
    let findings = &mut reader.findings;
    let included: Vec<_> = included.iter().map(|file| Top::new(&keys::INCLUDED, file, findings)).collect();
    let tops: Vec<_> = std::iter::once(&main).chain(&included).collect();
    check::config(&main, &tops, findings)
}
