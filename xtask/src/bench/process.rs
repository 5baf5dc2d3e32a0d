//! Programs that the benchmark starts, what they cost, and their end.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::{Doing, Error};

/// How long a program may take until it listens; the gateway compiles its policies first.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to stop before it is killed.
const FAREWELL: Duration = Duration::from_secs(3);

/// CPU time of a process and everything below it, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cpu {
    /// In the program.
    pub(super) user: f64,
    /// In the kernel on its behalf.
    pub(super) system: f64,
}

/// A running program. It is stopped, with its children, when this value goes.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` in `folder`, in a process group of its own (so that ctrl-c reaches only us), and
    /// returns when it listens on `port`.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
        port: u16,
    ) -> Result<Self, Error> {
        let output = folder.join(format!("{name}.out"));
        let file = File::create(&output).doing(format!("create {}", output.display()))?;
        let both = file.try_clone().doing("duplicate a descriptor")?;
        command.current_dir(folder).process_group(0).stdin(Stdio::null()).stdout(file).stderr(both);
        let child = command.spawn().doing(format!("start {name}"))?;
        let mut process = Self { name, child, output };
        if process.listens(port) { Ok(process) } else { Err(process.silent(port)) }
    }

    fn listens(&mut self, port: u16) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn silent(&self, port: u16) -> Error {
        Error::Silent { program: self.name, port, output: self.last_words() }
    }

    /// The end of what the program wrote.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What the program, its threads and its children have used so far.
    pub(super) fn cpu(&self) -> Result<Cpu, Error> {
        let mut sum = Cpu::default();
        for stat in tree(self.child.id()).doing("read /proc")? {
            sum.user += stat.user;
            sum.system += stat.system;
        }
        Ok(sum)
    }

    fn ended_within(&mut self, limit: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Process {
    /// Asks the program to stop (nginx and HAProxy take their children along), and kills what does not.
    fn drop(&mut self) {
        let below = tree(self.child.id()).unwrap_or_default();
        send(self.child.id(), Signal::TERM);
        if !self.ended_within(FAREWELL) {
            for stat in below {
                send(stat.process, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// To a process of ours only: the child, not yet waited for, or what was found below it.
fn send(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// What `/proc/PID/stat` says about one process, in seconds (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    process: u32,
    parent: u32,
    user: f64,
    system: f64,
}

/// The process and all below it. Who ends in between is left out: his time is his parent's then.
fn tree(root: u32) -> std::io::Result<Vec<Stat>> {
    let all: Vec<Stat> = fs::read_dir("/proc")?
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter_map(|line| stat(&line))
        .collect();
    let mut found: Vec<Stat> = all.iter().filter(|stat| stat.process == root).copied().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|stat| stat.process) {
        found.extend(all.iter().filter(|stat| stat.parent == parent));
        next += 1;
    }
    Ok(found)
}

/// One line of `/proc/PID/stat`. The name in brackets may hold anything, so the fields are counted from its end.
fn stat(line: &str) -> Option<Stat> {
    let (process, rest) = line.split_once(' ')?;
    let fields: Vec<&str> = rest[rest.rfind(')')? + 1..].split_ascii_whitespace().collect();
    let seconds = |own: usize, children: usize| -> Option<f64> {
        let ticks = fields.get(own)?.parse::<u64>().ok()? + fields.get(children)?.parse::<u64>().ok()?;
        Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    };
    Some(Stat {
        process: process.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        user: seconds(11, 13)?,
        system: seconds(12, 14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 90 0 0 0 150 250 50 50 20 0 2 0 100";
        assert_eq!(stat(line), Some(Stat { process: 42, parent: 7, user: 2.0, system: 3.0 }));
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert_eq!(stat("42 (a) S 7 42"), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn this_process_is_the_root_of_its_tree() {
        let own = std::process::id();
        assert_eq!(tree(own).expect("/proc").first().map(|stat| stat.process), Some(own));
    }
}
