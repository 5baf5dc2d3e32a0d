//! Handing the gateway over to a new process of itself, so that the binary can be replaced
//! without losing a request (nginx: "upgrading executable on the fly").
//!
//! The successor inherits the listening sockets, with the connections that wait in them, in the
//! way systemd passes sockets. Both serve for a moment; when the successor is ready it asks its
//! parent to quit, as `pointsman quit` does.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

/// Tells the successor whom it succeeds.
const PREDECESSOR: &str = "POINTSMAN_PREDECESSOR";
/// The first passed descriptor, as in sd_listen_fds(3).
const FIRST: i32 = 3;
/// The variable must hold the number of the process that reads it, which is known after the fork
/// only; a shell knows it, and keeps it over `exec`.
const EXEC: &str = "LISTEN_PID=$$ exec \"$0\" \"$@\"";

/// How this process was started, as long as that is still known.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Origin {
    /// Of this process. To be called at its start: once the file is replaced, the system only
    /// knows a deleted one.
    pub(super) fn of_this_process() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: std::env::args_os().skip(1).collect() })
    }

    /// Starts a successor with these listening sockets.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn succeed(&self, sockets: Vec<OwnedFd>) -> io::Result<Child> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(EXEC).arg(&self.program).args(&self.arguments);
        command.env(PREDECESSOR, getpid().as_raw_nonzero().to_string());
        command.env("LISTEN_FDS", sockets.len().to_string()).env_remove("LISTEN_FDNAMES");
        let mappings = (FIRST..).zip(sockets).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
        command.spawn()
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }
}

/// The process that this one succeeds, if it is its parent and still lives.
pub(super) fn predecessor() -> Option<Pid> {
    let parent = getppid()?;
    let named = std::env::var(PREDECESSOR).ok()?;
    (named == parent.as_raw_nonzero().to_string()).then_some(parent)
}

/// Asks the predecessor to quit: everything is taken over.
pub(super) fn relieve(predecessor: Pid) {
    if let Err(error) = kill_process(predecessor, Signal::QUIT) {
        tracing::warn!("the process before this one cannot be told to quit: {error}");
    }
}
