//! What can be wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a certificate, a key or a list of authorities cannot be used.
#[derive(Clone, Debug, Error)]
#[error("{}: {message}", .file.display())]
pub struct Flaw {
    /// The file that is to blame.
    pub file: PathBuf,
    /// What is wrong with it.
    pub message: String,
    /// How to mend it.
    pub help: &'static str,
}

impl Flaw {
    pub(super) fn new(file: &Path, message: impl Into<String>, help: &'static str) -> Self {
        Self { file: file.to_owned(), message: message.into(), help }
    }

    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self::new(file, error.to_string(), "check its path and its permissions")
    }
}
