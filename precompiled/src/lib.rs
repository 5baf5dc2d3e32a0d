//! What was compiled of large policies, kept on disk, so that an interpreter of 18 MB is not
//! compiled for a dozen seconds at each start.
//!
//! The files hold machine code, and [`Store::load`] runs whatever they say: it is the one place in
//! Pointsman that the compiler cannot vouch for, which is why it is a crate of its own and the
//! gateway forbids unsafe code altogether. What it relies on instead:
//!
//! - Only this crate writes the folder, and nobody but its owner can: it is made for the owner
//!   alone, and a folder or file that belongs to another user, or that others may write, is not
//!   used. Who can write as that user can replace the gateway's program, too.
//! - A file is written under another name and then renamed, and carries a checksum: one that is cut
//!   or damaged is compiled anew.
//! - Its name says which policy it was (by content), and which compiler, settings and processor it is
//!   for; Wasmtime compares version and settings once more.
//!
//! Machine code that a user supplies is never loaded: policies are WebAssembly.

use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// Files that are kept; the one that was used least lately goes first.
const KEPT: usize = 24;
const ENDING: &str = "compiled";
/// Length of the checksum at the end of a file.
const CHECKSUM: usize = 16;
/// Bits of a mode by which others than the owner may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A folder of compiled policies.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens a folder, making it for the owner alone if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or somebody else can write into it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if !is_ours(&fs::metadata(folder)?) {
            let why = "it belongs to another user, or others may write into it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// What was compiled from a policy with this content hash by an engine like this one; none if
    /// there is no such file, or none that can be trusted.
    #[must_use]
    #[allow(unsafe_code, reason = "machine code from a file; see the top of this crate")]
    pub fn load(&self, engine: &Engine, content: u128) -> Option<Component> {
        let mut file = fs::File::open(self.path(engine, content)).ok()?;
        if !is_ours(&file.metadata().ok()?) {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let end = bytes.len().checked_sub(CHECKSUM)?;
        if bytes[end..] != xxh3_128(&bytes[..end]).to_le_bytes() {
            return None;
        }
        bytes.truncate(end);
        // It is in use: it shall not be the next to go.
        let _ = file.set_modified(SystemTime::now());
        // SAFETY: the bytes are what `Component::serialize` gave to `keep`, unchanged: nobody else can
        // write file or folder (`is_ours`), and the checksum holds.
        unsafe { Component::deserialize(engine, &bytes) }.ok()
    }

    /// Keeps what was compiled from a policy with this content hash.
    ///
    /// # Errors
    /// The file cannot be written. Nothing depends on it.
    pub fn keep(&self, engine: &Engine, content: u128, component: &Component) -> io::Result<()> {
        let mut bytes = component.serialize().map_err(io::Error::other)?;
        bytes.extend_from_slice(&xxh3_128(&bytes).to_le_bytes());
        let path = self.path(engine, content);
        let unfinished = path.with_extension(format!("{}.new", std::process::id()));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&bytes).and_then(|()| fs::rename(&unfinished, &path)).inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })?;
        self.tidy()
    }

    fn path(&self, engine: &Engine, content: u128) -> PathBuf {
        let mut hasher = Xxh3Default::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder.join(format!("{content:032x}-{:016x}.{ENDING}", hasher.finish()))
    }

    /// Removes all but the files that were used last.
    fn tidy(&self) -> io::Result<()> {
        let files = fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path());
        let ours = files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let mut dated: Vec<(SystemTime, PathBuf)> =
            ours.filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path))).collect();
        dated.sort();
        let surplus = dated.len().saturating_sub(KEPT);
        dated[..surplus].iter().try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// Can nobody but this process's user write there?
fn is_ours(what: &fs::Metadata) -> bool {
    what.uid() == rustix::process::geteuid().as_raw() && what.mode() & WRITABLE_BY_OTHERS == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where it fails")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// An empty component: binary preamble, no section.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    struct Kept {
        engine: Engine,
        store: Store,
        path: PathBuf,
        _folder: tempfile::TempDir,
    }

    fn kept() -> Kept {
        let (engine, folder) = (Engine::default(), tempfile::tempdir().unwrap());
        let store = Store::open(&folder.path().join("policies")).unwrap();
        store.keep(&engine, 7, &Component::from_binary(&engine, EMPTY).unwrap()).unwrap();
        let path = store.path(&engine, 7);
        Kept { engine, store, path, _folder: folder }
    }

    #[test]
    fn what_was_kept_is_found_by_its_content() {
        let Kept { engine, store, _folder, .. } = kept();
        assert!(store.load(&engine, 7).is_some());
        assert!(store.load(&engine, 8).is_none());
    }

    #[test]
    fn another_compiler_has_files_of_its_own() {
        let Kept { store, _folder, .. } = kept();
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        assert!(store.load(&other, 7).is_none());
    }

    #[test]
    fn a_file_that_is_cut_or_changed_is_none() {
        let Kept { engine, store, path, _folder } = kept();
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() - 1], &whole[..3], &[whole.clone(), vec![0]].concat(), b""] {
            fs::write(&path, damaged).unwrap();
            assert!(store.load(&engine, 7).is_none());
        }
        let mut changed = whole;
        changed[100] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(store.load(&engine, 7).is_none());
    }

    #[test]
    fn what_others_may_write_is_not_trusted() {
        let Kept { engine, store, path, _folder } = kept();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(store.load(&engine, 7).is_none());
        fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Store::open(&store.folder).is_err());
    }

    #[test]
    fn only_the_files_used_last_are_kept() {
        let Kept { engine, store, _folder, .. } = kept();
        let component = Component::from_binary(&engine, EMPTY).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH;
        let age = |content| fs::File::open(store.path(&engine, content)).unwrap().set_modified(long_ago);
        age(7).unwrap();
        for content in 100..100 + KEPT as u128 {
            store.keep(&engine, content, &component).unwrap();
        }
        assert!(store.load(&engine, 7).is_none(), "the oldest went");
        assert!(store.load(&engine, 100).is_some());
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), KEPT);
    }
}
