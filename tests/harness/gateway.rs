//! The gateway, running.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::process::{Finished, end_of, pointsman};
use super::{Message, Plan, Wire, eventually};

/// A running gateway. Dropping it kills the process, shows its log if the test failed, and fails
/// the test if the gateway panicked anywhere.
pub struct Gateway {
    plan: Plan,
    child: Child,
    log: Arc<Mutex<String>>,
    addresses: Vec<String>,
    successor: Mutex<Option<Pid>>,
}

impl Gateway {
    #[track_caller]
    pub(super) fn start(plan: Plan, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command.arg("run").arg("-c").arg(plan.path()).current_dir(plan.folder());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().expect("the gateway's binary runs");
        let log = follow(child.stderr.take().expect("a pipe"));
        let mut gateway = Self { plan, child, log, addresses: vec![], successor: Mutex::default() };
        gateway.wait_until_it_listens();
        gateway
    }

    #[track_caller]
    fn wait_until_it_listens(&mut self) {
        let count = self.plan.listener_count();
        eventually("the gateway listens", || {
            let ended = self.child.try_wait().expect("a child can be asked");
            let log = self.log();
            assert!(ended.is_none(), "the gateway ended ({ended:?}):\n{log}");
            let address =
                |line: &str| Some(line.split_once("listening on ")?.1.split_whitespace().next()?.to_owned());
            self.addresses = log.lines().filter_map(address).collect();
            self.addresses.len() >= count
        });
    }

    /// The address of the first listener.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// The addresses of all listeners, in the order they were announced.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// A client's connection to the first listener.
    #[track_caller]
    pub fn client(&self) -> Wire {
        Wire::to(self.address())
    }

    /// Sends a request on a connection of its own, which stays open, and does not wait.
    #[track_caller]
    pub fn begin(&self, request: &str) -> Wire {
        let mut client = self.client();
        client.send(request);
        client
    }

    /// Begins a GET, and does not wait.
    #[track_caller]
    pub fn begin_get(&self, path: &str) -> Wire {
        self.begin(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// Sends a request on a connection of its own; the answer.
    #[track_caller]
    pub fn ask(&self, request: &str) -> Message {
        self.begin(request).answer()
    }

    /// The answer to a GET on a connection of its own.
    #[track_caller]
    pub fn get(&self, path: &str) -> Message {
        self.begin_get(path).answer()
    }

    /// The names of the backends that answer `count` GETs, one after the other.
    #[track_caller]
    pub fn picks(&self, count: usize) -> Vec<String> {
        let mut client = self.client();
        let mut get = || {
            client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            client.answer().backend()
        };
        (0..count).map(|_| get()).collect()
    }

    /// What the control socket answers.
    #[track_caller]
    pub fn control(&self, method: &str, path: &str) -> Message {
        let mut control = Wire::to(&format!("unix:{}", self.file("pointsman.sock").display()));
        control.send(format!("{method} {path} HTTP/1.1\r\nHost: control\r\nContent-Length: 0\r\n\r\n"));
        control.answer()
    }

    /// The state page.
    #[track_caller]
    pub fn state(&self) -> Value {
        let answer = self.control("GET", "/state");
        assert_eq!(answer.status(), 200, "{answer:?}");
        serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e} in {}", answer.text()))
    }

    /// The state of an upstream.
    #[track_caller]
    pub fn upstream(&self, name: &str) -> Value {
        named(&self.state()["upstreams"], name)
    }

    /// The state of an upstream's policy.
    #[track_caller]
    pub fn policy(&self, upstream: &str) -> Value {
        self.upstream(upstream)["policy"].clone()
    }

    /// A counter of an upstream's policy.
    #[track_caller]
    pub fn count(&self, upstream: &str, what: &str) -> u64 {
        number(&self.policy(upstream), what)
    }

    /// How many faults of one kind an upstream's policy has had.
    #[track_caller]
    pub fn faults(&self, upstream: &str, kind: &str) -> u64 {
        number(&self.policy(upstream)["faults"], kind)
    }

    /// A number about a backend, by the backend's address; how many attempts ended so, for a verdict.
    #[track_caller]
    pub fn backend(&self, upstream: &str, backend: &impl ToString, what: &str) -> u64 {
        let state = named(&self.upstream(upstream)["backends"], &backend.to_string());
        number(if state[what].is_null() { &state["verdicts"] } else { &state }, what)
    }

    /// How a backend stands, in one word.
    #[track_caller]
    pub fn backend_state(&self, upstream: &str, backend: &impl ToString) -> String {
        let state = named(&self.upstream(upstream)["backends"], &backend.to_string());
        state["state"].as_str().unwrap_or_default().to_owned()
    }

    /// The backends that an upstream's policy chooses from now.
    #[track_caller]
    pub fn candidates(&self, upstream: &str) -> Vec<String> {
        let upstream = self.upstream(upstream);
        let all = upstream["backends"].as_array().into_iter().flatten();
        let candidates = all.filter(|backend| backend["candidate"] == true);
        candidates.filter_map(|backend| Some(backend["name"].as_str()?.to_owned())).collect()
    }

    /// Which generation is in force.
    #[track_caller]
    pub fn generation(&self) -> u64 {
        number(&self.state(), "generation")
    }

    /// Replaces the configuration on disk; nothing happens until a reload.
    pub fn rewrite(&self, change: impl FnOnce(String) -> String) {
        let text = change(self.plan.text());
        std::fs::write(self.plan.path(), text).expect("the configuration can be written");
    }

    /// Runs a command of the binary (`reload`, `stop`, `quit`, `check`) for this gateway.
    #[track_caller]
    pub fn command(&self, command: &str) -> Finished {
        self.run(&[command])
    }

    /// Runs a command with arguments for this gateway.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        pointsman(&[arguments, &["-c", &self.plan.path().display().to_string()]].concat())
    }

    /// Lets a new process take over, which is then the one that is killed at the end.
    #[track_caller]
    pub fn upgrade(&self) {
        let finished = self.command("upgrade");
        let number = finished.stdout.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        assert!(finished.code == 0 && number.is_some(), "{finished:?}");
        *self.successor.lock().expect("nobody panics with it") = number.and_then(Pid::from_raw);
    }

    /// Runs a command of the binary that takes arguments (`drain`) for this gateway.
    #[track_caller]
    pub fn tell(&self, arguments: &[&str]) -> Finished {
        let path = self.plan.path().display().to_string();
        pointsman(&[arguments, &["-c", &path]].concat())
    }

    /// Reloads; fails the test when that is refused.
    #[track_caller]
    pub fn reload(&self) {
        let finished = self.command("reload");
        assert_eq!(finished.code, 0, "{finished:?}");
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the gateway is there");
    }

    /// Waits for the end of the process; its exit code.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        end_of(&mut self.child, "the gateway")
    }

    /// A path beside the configuration.
    pub fn file(&self, name: &str) -> PathBuf {
        self.plan.folder().join(name)
    }

    /// Writes a file beside the configuration the way careful editors do: whole or not at all.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let beside = self.file("written-aside");
        std::fs::write(&beside, content).expect("a file can be written");
        std::fs::rename(beside, self.file(name)).expect("a file can be renamed");
    }

    /// Waits until a log file has `count` lines; the lines.
    #[track_caller]
    pub fn lines(&self, name: &str, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        eventually(&format!("{count} lines in {name}"), || {
            let text = std::fs::read_to_string(self.file(name)).unwrap_or_default();
            lines = text.lines().map(str::to_owned).collect();
            lines.len() >= count
        });
        lines
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Waits until it says something on stderr.
    #[track_caller]
    pub fn says(&self, text: &str) {
        eventually(&format!("the gateway says {text:?}, log:\n{}", self.log()), || self.log().contains(text));
    }

    /// The memory it occupies now, in KiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("a process").count()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(successor) = self.successor.lock().ok().and_then(|mut held| held.take()) {
            let _ = kill_process(successor, Signal::KILL);
        }
        let log = self.log();
        if std::thread::panicking() {
            println!("--- the configuration ---\n{}\n--- the gateway's log ---\n{log}", self.plan.text());
        } else {
            // What a policy says of its own end is marked as the policy's.
            let panicked = |line: &str| line.contains("panicked at") && !line.contains(" policy=");
            assert!(!log.lines().any(panicked), "the gateway panicked:\n{log}");
        }
    }
}

fn follow(stderr: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = into.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            log.push_str(&line);
            log.push('\n');
        }
    });
    log
}

#[track_caller]
fn named(list: &Value, name: &str) -> Value {
    let found = list.as_array().and_then(|l| l.iter().find(|v| v["name"] == name));
    found.unwrap_or_else(|| panic!("no {name:?} in {list:#}")).clone()
}

#[track_caller]
fn number(of: &Value, what: &str) -> u64 {
    of[what].as_u64().unwrap_or_else(|| panic!("no number {what:?} in {of:#}"))
}
