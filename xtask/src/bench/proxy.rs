//! The programs that are compared, and their configurations: equal as far as each can say it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::error::{Doing, Error};
use super::fill;
use super::process::Process;

/// A program in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    Nginx,
    Haproxy,
    Pointsman,
    /// An older build of the gateway.
    Before,
}

/// Where everything is in one scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// For configurations, logs and temporary files.
    pub(super) folder: &'a Path,
    /// The backends' ports.
    pub(super) backends: [u16; 2],
    /// Whether an access log is written.
    pub(super) logs: bool,
}

impl Proxy {
    /// As in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Pointsman => "pointsman",
            Self::Before => "before",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Pointsman => "pointsman.toml",
            Self::Before => "before.toml",
        }
    }

    const fn template(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("configs/nginx.conf"),
            Self::Haproxy => include_str!("configs/haproxy.cfg"),
            Self::Pointsman | Self::Before => include_str!("configs/pointsman.toml"),
        }
    }

    /// What fills the places of the template that have to do with the access log.
    const fn log(self, on: bool) -> &'static [(&'static str, &'static str)] {
        match (self, on) {
            (Self::Nginx, false) => &[("access_log", "off")],
            (Self::Nginx, true) => &[("access_log", "nginx-access.log combined")],
            (Self::Haproxy, false) => &[("log_target", ""), ("log_format", "")],
            (Self::Haproxy, true) => &[
                ("log_target", "log stdout format raw local0"),
                ("log_format", "log global\n    option httplog"),
            ],
            (Self::Pointsman | Self::Before, false) => &[("access_log", "off")],
            (Self::Pointsman, true) => &[("access_log", "pointsman-access.log")],
            (Self::Before, true) => &[("access_log", "before-access.log")],
        }
    }

    fn configuration(self, place: Place<'_>, port: u16) -> String {
        let [a, b] = place.backends.map(|port| port.to_string());
        let text = fill(self.template(), self.log(place.logs));
        fill(
            &text,
            &[("name", self.name()), ("port", &port.to_string()), ("backend_a", &a), ("backend_b", &b)],
        )
    }

    /// Starts it on `port` as a process of two workers; `program` is the gateway's path, or found for the others.
    pub(super) fn start(self, program: &Path, place: Place<'_>, port: u16) -> Result<Process, Error> {
        let file = place.folder.join(self.file());
        fs::write(&file, self.configuration(place, port)).doing(format!("write {}", file.display()))?;
        let mut command = pinned(program, Cores::Proxy);
        match self {
            Self::Nginx => nginx(&mut command, place.folder, &file),
            Self::Haproxy => command.args(["-db", "-q", "-f"]).arg(&file),
            Self::Pointsman | Self::Before => command.args(["run", "-c"]).arg(&file),
        };
        Process::start(self.name(), command, place.folder, port)
    }
}

/// Adds nginx's arguments: its prefix, its configuration, and errors to where we see them.
pub(super) fn nginx<'a>(command: &'a mut Command, folder: &Path, file: &Path) -> &'a mut Command {
    let mut prefix = OsString::from(folder);
    prefix.push("/");
    command.args(["-e", "stderr", "-p"]).arg(prefix).arg("-c").arg(file)
}

/// Who runs where on a machine with more than two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cores {
    /// The first two.
    Proxy,
    /// The others.
    Rest,
}

/// `program` on its cores. On two cores everything shares everything.
pub(super) fn pinned(program: &Path, cores: Cores) -> Command {
    let last = thread::available_parallelism().map_or(1, |count| count.get() - 1);
    if last < 2 {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.arg("-c").arg(match cores {
        Cores::Proxy => String::from("0-1"),
        Cores::Rest => format!("2-{last}"),
    });
    command.arg(program);
    command
}

/// The path of an installed program; `sbin` counts, though it is not in everybody's `PATH`.
pub(super) fn find(name: &'static str) -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or(Error::Missing(name))
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_is_complete_with_and_without_log() {
        for proxy in [Proxy::Nginx, Proxy::Haproxy, Proxy::Pointsman, Proxy::Before] {
            for logs in [false, true] {
                let place = Place { folder: Path::new("."), backends: [1001, 1002], logs };
                let text = proxy.configuration(place, 1003);
                assert!(!text.contains("{{"), "{proxy}: {text}");
                assert!(["1001", "1002", "1003"].iter().all(|port| text.contains(port)), "{proxy}: {text}");
            }
        }
    }
}
