//! Programs that run to their end.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{PATIENCE, eventually};

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs the gateway's binary with arguments until it ends.
#[track_caller]
pub fn pointsman(arguments: &[&str]) -> Finished {
    run(env!("CARGO_BIN_EXE_pointsman"), arguments, "")
}

/// Runs a program until it ends; fails the test when it does not.
#[track_caller]
pub fn run(program: &str, arguments: &[&str], input: &str) -> Finished {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot run {program}: {e}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that does not read its input is no failure of the test.
    let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    drop(stdin);
    let stdout = collect(child.stdout.take().expect("a pipe"));
    let stderr = collect(child.stderr.take().expect("a pipe"));
    let code = end_of(&mut child, program);
    let text = |t: std::thread::JoinHandle<String>| t.join().expect("a reader does not panic");
    Finished { code, stdout: text(stdout), stderr: text(stderr) }
}

/// Waits for a child's end; its exit code, -1 for a signal.
#[track_caller]
pub fn end_of(child: &mut Child, name: &str) -> i32 {
    let mut status = None;
    eventually(&format!("{name} ends within {PATIENCE:?}"), || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    status.and_then(|s| s.code()).unwrap_or(-1)
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether a program is there; says so when it is not, for the test that then checks nothing.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).exists());
    if !there {
        eprintln!("skipped: {program} is not installed");
    }
    there
}
