//! One measurement: wrk against a port for some seconds, and what it says afterwards.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::error::{Doing, Error};
use super::fill;
use super::scenario::Scenario;

const SCRIPT: &str = include_str!("configs/load.lua");

/// What the clients saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// Answered requests.
    pub(super) requests: f64,
    /// Answered requests a second.
    pub(super) rate: f64,
    /// Bytes received, heads and bodies.
    pub(super) bytes: f64,
    /// Connections refused or broken, requests without answer, statuses above 399.
    pub(super) errors: u64,
    /// Time from the request to the whole answer that half, 99 % and 99.9 % of the requests stayed below, in
    /// milliseconds.
    pub(super) latency: [f64; 3],
}

/// Writes the script of a scenario into `folder`.
pub(super) fn prepare(scenario: Scenario, folder: &Path) -> Result<(), Error> {
    let headers: String = scenario
        .headers()
        .iter()
        .map(|(name, value)| format!("wrk.headers[\"{name}\"] = \"{value}\"\n"))
        .collect();
    let upload = scenario.upload();
    let method = if upload > 0 { "POST" } else { "GET" };
    let script = fill(SCRIPT, &[("method", method), ("headers", &headers), ("upload", &upload.to_string())]);
    fs::write(folder.join("load.lua"), script).doing("write load.lua")
}

/// Runs `wrk` for `seconds` against `port`. Give up when `interrupted` becomes true.
pub(super) fn run(
    mut wrk: Command,
    scenario: Scenario,
    folder: &Path,
    port: u16,
    seconds: u32,
    interrupted: &AtomicBool,
) -> Result<Seen, Error> {
    let output = folder.join("wrk.out");
    let file = File::create(&output).doing("create wrk.out")?;
    let connections = scenario.connections().to_string();
    wrk.current_dir(folder)
        .args(["--threads", "2", "--connections", &connections, "--duration", &format!("{seconds}s")])
        .args([
            "--timeout",
            "10s",
            "--script",
            "load.lua",
            &format!("http://127.0.0.1:{port}{}", scenario.path()),
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(file);
    wait(wrk.spawn().doing("start wrk")?, interrupted)?;
    let text = fs::read_to_string(&output).doing("read wrk.out")?;
    seen(&text).ok_or(Error::Unread(text))
}

fn wait(mut child: Child, interrupted: &AtomicBool) -> Result<(), Error> {
    while child.try_wait().doing("wait for wrk")?.is_none() {
        if interrupted.load(Ordering::Relaxed) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::Interrupted);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The line that `load.lua` writes.
fn seen(text: &str) -> Option<Seen> {
    let line = text.lines().find_map(|line| line.strip_prefix("result "))?;
    let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let &[duration, requests, bytes, broken, refused, p50, p99, p999] = numbers.as_slice() else {
        return None;
    };
    Some(Seen {
        requests,
        rate: requests / (duration / 1e6),
        bytes,
        errors: (broken + refused) as u64,
        latency: [p50, p99, p999].map(|microseconds| microseconds / 1e3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_among_the_rest_of_the_output() {
        let seen = seen("Running 2s test\nresult 2000000 1000 50000 1 2 500 1500 2500\n").expect("a result");
        assert_eq!((seen.requests, seen.rate, seen.errors), (1000.0, 500.0, 3));
        assert_eq!(seen.latency, [0.5, 1.5, 2.5]);
    }

    #[test]
    fn a_run_without_result_is_noticed() {
        assert_eq!(seen("unable to connect to 127.0.0.1:1\n"), None);
        assert_eq!(seen("result 1 2 3\n"), None);
    }
}
