//! Where a log goes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a log goes, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, made if it is not there, written at its end.
    File(PathBuf),
}

impl From<&str> for Target {
    /// `stdout`, `stderr`, else the path of a file.
    fn from(text: &str) -> Self {
        match text {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            path => Self::File(path.into()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

/// An open [`Target`]. Unbuffered: whoever writes gathers whole lines first, so that two
/// processes that log into one file never mix within a line.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) target: Target,
    file: File,
}

impl Output {
    /// Opens it. An error names the target.
    pub(super) fn open(target: &Target) -> io::Result<Self> {
        let file = match target {
            Target::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            Target::Stderr => io::stderr().as_fd().try_clone_to_owned().map(File::from),
            Target::File(path) => append(path),
        };
        let file = file.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open the log {target}: {error}"))
        })?;
        Ok(Self { target: target.clone(), file })
    }

    /// Opens a file again by its name, because somebody renamed it to rotate it. When that fails
    /// the old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if matches!(self.target, Target::File(_)) {
            *self = Self::open(&self.target)?;
        }
        Ok(())
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Writes all of `bytes`. On failure also says how many were written.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Somebody who shares our terminal made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    /// An output that goes into a pipe: one that can be made to block.
    #[cfg(test)]
    pub(super) fn pipe(pipe: io::PipeWriter) -> Self {
        Self { target: Target::Stdout, file: File::from(std::os::fd::OwnedFd::from(pipe)) }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_and_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        for _ in 0..2 {
            Output::open(&Target::File(path.clone())).unwrap().write_all(b"line\n").unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), "line\nline\n");
    }

    #[test]
    fn a_target_that_cannot_be_opened_is_named() {
        let error = Output::open(&Target::from("/nowhere/a.log")).unwrap_err().to_string();
        assert!(error.starts_with("cannot open the log `/nowhere/a.log`: No such file"), "{error}");
    }

    #[test]
    fn a_target_that_cannot_be_reopened_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let (logs, old) = (folder.path().join("logs"), folder.path().join("old"));
        std::fs::create_dir(&logs).unwrap();
        let mut output = Output::open(&Target::File(logs.join("a.log"))).unwrap();
        std::fs::rename(&logs, &old).unwrap();
        assert!(output.reopen().is_err());
        output.write_all(b"still here\n").unwrap();
        assert_eq!(std::fs::read_to_string(old.join("a.log")).unwrap(), "still here\n");
    }
}
