//! The file with the process's number.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Written at the start, removed when it is dropped, unless it is a successor's by then.
#[derive(Debug)]
pub(super) struct PidFile(Option<PathBuf>);

impl PidFile {
    pub(super) fn write(path: Option<PathBuf>) -> io::Result<Self> {
        if let Some(path) = &path {
            fs::write(path, own_line())?;
        }
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && fs::read_to_string(path).is_ok_and(|line| line == own_line())
        {
            // Nobody is left to tell if this fails.
            let _ = fs::remove_file(path);
        }
    }
}

fn own_line() -> String {
    format!("{}\n", std::process::id())
}
