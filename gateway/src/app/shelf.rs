//! Where policies come from: the folder first, then the gateway's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::did_you_mean;
use crate::policy::{BUILTINS, Engine, Policy, builtin};

/// File name extensions of policies; a component wins over text of the same name.
const EXTENSIONS: [&str; 2] = ["wasm", "wat"];

/// The policies that a configuration can name.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Files of `folder`, which need not exist, over the built-in policies.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Loads the policy of this name.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn load(&self, engine: &Engine, name: &str) -> Result<Arc<Policy>, (String, String)> {
        if let Some(path) = self.file(name) {
            let bytes = fs::read(&path)
                .map_err(|error| (format!("cannot read `{}`: {error}", path.display()), String::new()))?;
            return Policy::load(engine, name, &bytes)
                .map_err(|error| (format!("`{}`: {error}", path.display()), String::new()));
        }
        let Some(builtin) = builtin(name) else { return Err(self.unknown(name)) };
        Policy::load(engine, name, builtin.bytes)
            .map_err(|error| (format!("built-in policy `{name}`: {error}"), String::new()))
    }

    /// The file that serves as the policy of this name, if there is one.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        EXTENSIONS
            .iter()
            .map(|extension| self.folder.join(format!("{name}.{extension}")))
            .find(|path| path.is_file())
    }

    /// Names of the policies in the folder.
    fn files(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.folder)?.filter_map(|entry| {
            let path = entry.ok()?.path();
            let extension = path.extension()?.to_str()?;
            EXTENSIONS.contains(&extension).then(|| path.file_stem()?.to_str().map(str::to_owned)).flatten()
        });
        Ok(names.collect())
    }

    fn unknown(&self, name: &str) -> (String, String) {
        let files = self.files().unwrap_or_default();
        let known: Vec<&str> =
            BUILTINS.iter().map(|builtin| builtin.name).chain(files.iter().map(String::as_str)).collect();
        let folder = self.folder.display();
        let message = format!(
            "there is no policy `{name}`: no file `{folder}/{name}.wasm` or `.wat`, and none of that name is built in"
        );
        let help = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", known.join(", ")),
        };
        (message, help)
    }

    /// A number that changes when a policy file comes, goes or changes its content.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut sum = 0u64;
        for name in self.files().unwrap_or_default() {
            if let Some(bytes) = self.file(&name).and_then(|path| fs::read(path).ok()) {
                let seed = xxhash_rust::xxh3::xxh3_64(name.as_bytes());
                sum = sum.wrapping_add(xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed));
            }
        }
        sum
    }
}
