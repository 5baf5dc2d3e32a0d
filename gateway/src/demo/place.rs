//! The folder in which the demo lives: configuration, policies, log. It stays when the demo ends,
//! for the user to go on with.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::backends::{COUNT, KINDS};
use crate::app::{Failure, Shelf};
use crate::policy::BUILTINS;

/// Its name, in the current folder.
const FOLDER: &str = "pointsman-demo";
/// The upstream of the demo.
pub(super) const UPSTREAM: &str = "demo";
/// A policy for users to begin with.
const ALWAYS_FIRST: &str = include_str!("always_first.wat");

/// The folder, and what its files are made from.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    gateway: SocketAddr,
    backends: [SocketAddr; COUNT],
}

impl Place {
    /// Makes the folder with everything in it: in the current one or, if that is read-only, among
    /// temporary files.
    ///
    /// # Errors
    /// Neither can be written, or a demo runs there already.
    pub(super) fn prepare(gateway: SocketAddr, backends: [SocketAddr; COUNT]) -> Result<Self, Failure> {
        let here = Self { folder: FOLDER.into(), gateway, backends };
        if UnixStream::connect(here.socket()).is_ok() {
            return Err(Failure::System(format!(
                "a demo runs in `{FOLDER}` already: end it first (Ctrl-C there), or start this one in another folder"
            )));
        }
        let Err(refused) = here.write_all() else { return Ok(here) };
        let folder = std::env::temp_dir().join(format!("{FOLDER}-{}", std::process::id()));
        let there = Self { folder, ..here };
        // Temporary folders are everybody's: nobody may have been there before.
        let made = DirBuilder::new().mode(0o700).create(&there.folder);
        made.and_then(|()| there.write_all()).map_err(|error| {
            let folder = there.folder.display();
            Failure::System(format!(
                "the demo needs a folder, but cannot write `{FOLDER}` ({refused}), nor `{folder}` ({error})"
            ))
        })?;
        Ok(there)
    }

    fn write_all(&self) -> io::Result<()> {
        fs::create_dir_all(self.policies())?;
        fs::create_dir_all(self.to_try().parent().unwrap_or(&self.folder))?;
        let wat = ALWAYS_FIRST.replace("{folder}", &self.folder.display().to_string());
        fs::write(self.to_try(), wat.replace("{url}", &self.url()))?;
        self.use_policy(super::SHOWN[0])
    }

    /// Writes a configuration with this policy.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn use_policy(&self, policy: &str) -> io::Result<()> {
        fs::write(self.config(), self.text(policy))
    }

    fn text(&self, policy: &str) -> String {
        let config = self.config();
        let (config, gateway) = (config.display(), self.gateway);
        let backends = self.backends.iter().zip(KINDS).map(|(address, kind)| {
            format!("    \"{address}\", # {}: {} ms, {} at a time\n", kind.name, kind.time, kind.slots)
        });
        let backends: String = backends.collect();
        let policies = BUILTINS.iter().map(|builtin| builtin.name).collect::<Vec<_>>().join(", ");
        format!(
            r#"# The configuration of `pointsman demo`. Change it, and put it in force with
#     pointsman reload -c {config}
# The demo writes it anew when it starts. What else can stand here: docs/configuration.md

[log]
file = "pointsman.log"

[[listen]]
address = "{gateway}"

[[route]]
upstream = "{UPSTREAM}"

[upstream.{UPSTREAM}]
backends = [
{backends}]
# Built in are {policies}.
# A file in the folder `policies` is a policy too; it goes by its name, and before a built-in one.
policy = "{policy}"
# What the policy `hash` looks at: here the address of the page.
hash_key = "$request_uri"
"#
        )
    }

    /// Built-in policies that a file in the folder `policies` stands in for.
    pub(super) fn replaced(&self) -> Vec<PathBuf> {
        let shelf = Shelf::new(&self.policies());
        BUILTINS.iter().filter_map(|builtin| shelf.file(builtin.name)).collect()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("pointsman.toml")
    }

    pub(super) fn policies(&self) -> PathBuf {
        self.folder.join("policies")
    }

    /// The policy to begin with.
    pub(super) fn to_try(&self) -> PathBuf {
        self.folder.join("policies-to-try").join("always_first.wat")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("pointsman.sock")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("pointsman.log")
    }

    pub(super) fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.gateway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Engine, Policy};

    #[test]
    fn the_configuration_is_good_with_every_built_in_policy() {
        let folder = tempfile::tempdir().unwrap();
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let place = Place {
            folder: folder.path().to_owned(),
            gateway: address(8080),
            backends: [1, 2, 3].map(address),
        };
        place.write_all().unwrap();
        for builtin in BUILTINS {
            place.use_policy(builtin.name).unwrap();
            let loaded = crate::config::load(&place.config()).unwrap();
            assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
            assert_eq!(&*loaded.config.upstreams[0].policy.name, builtin.name);
            assert_eq!(loaded.config.control, place.socket());
            assert_eq!(loaded.config.policies, place.policies());
        }
    }

    #[test]
    fn the_policy_to_try_is_a_policy_in_all_its_variants() {
        let engine = Engine::new().unwrap();
        let load =
            |text: &str| Policy::load(&engine, "fair", text.as_bytes()).map(drop).map_err(|e| e.to_string());
        load(ALWAYS_FIRST).unwrap();
        let other = ALWAYS_FIRST.replace("    (i32.store (i32.const 36) (global.get $chosen))\n", "");
        let other = other.replace(";; (i32.store (i32.const 36)", "(i32.store (i32.const 36)");
        assert_eq!(other.matches("i32.rem_u").count(), 1);
        load(&other).unwrap();
    }
}
