//! `pointsman demo`: everything in one process, and something to go on with.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{Wire, eventually};

const SHOWN: [&str; 8] =
    ["round_robin", "least_conn", "random", "ip_hash", "hash", "peak_ewma", "adaptive", "fair"];

/// The binary, running in an empty folder.
struct Demo {
    folder: TempDir,
    child: Child,
    said: Arc<Mutex<String>>,
}

fn demo(arguments: &[&str]) -> Demo {
    demo_in(tempfile::tempdir().expect("a temporary folder"), arguments)
}

fn demo_in(folder: TempDir, arguments: &[&str]) -> Demo {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.args(arguments).current_dir(folder.path()).env("TMPDIR", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("the binary runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let said = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&said);
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            *into.lock().expect("no panic") += &format!("{line}\n");
        }
    });
    Demo { folder, child, said }
}

impl Demo {
    fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    #[track_caller]
    fn says(&self, text: &str) {
        eventually(&format!("the demo says {text:?}"), || self.said().contains(text));
    }

    #[track_caller]
    fn ends(&mut self) -> i32 {
        let mut status = None;
        eventually("the demo ends", || {
            status = self.child.try_wait().expect("a child can be asked");
            status.is_some()
        });
        status.and_then(|status| status.code()).unwrap_or(-1)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("pointsman-demo").join(name)
    }

    /// The name of the backend that answers a GET.
    fn backend(&self) -> String {
        let said = self.said();
        let address = said.split_once("http://").and_then(|(_, rest)| rest.split_once('/')).expect("a URL").0;
        let mut client = Wire::to(address);
        client.send("GET / HTTP/1.1\r\nHost: demo\r\n\r\n");
        client.answer().field("x-backend")
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it is there");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- the demo said ---\n{}", self.said());
        }
    }
}

#[test]
fn every_policy_has_its_row_and_no_request_fails() {
    let mut demo = demo(&["demo", "--exit", "--seconds", "0.3", "--port", "0"]);
    assert_eq!(demo.ends(), 0);
    demo.says("still in pointsman-demo/");

    let said = demo.said();
    for policy in SHOWN {
        let row = said.lines().find(|line| line.starts_with(policy)).expect(policy);
        assert_eq!(row.split_whitespace().count(), 16, "{row}");
    }
    assert_eq!(said.matches("no request failed").count(), SHOWN.len(), "{said}");
    assert!(said.contains(" 8 reloads under way, 0 failed"), "{said}");
    assert!(!said.contains('\x1b'), "no colours in a pipe: {said:?}");
}

#[test]
fn it_stays_up_and_takes_up_the_policy_to_try() {
    let mut demo = demo(&["demo", "--seconds", "0.1", "--port", "0"]);
    demo.says("Ctrl-C ends it; the folder stays.");
    let chosen = |index| {
        let text =
            std::fs::read_to_string(demo.file("policies-to-try/always_first.wat")).expect("it is there");
        assert!(text.contains("$chosen i32 (i32.const 0)"), "{text}");
        let text = text.replace("$chosen i32 (i32.const 0)", &format!("$chosen i32 (i32.const {index})"));
        std::fs::write(demo.file("policies/fair.wat"), text).expect("it can be written");
    };

    for (index, name) in ["fast", "middle", "slow"].into_iter().enumerate() {
        chosen(index);
        let always = || (0..6).all(|_| demo.backend() == name);
        eventually(&format!("always {name}"), always);
    }
    demo.interrupt();
    assert_eq!(demo.ends(), 0);
    assert!(demo.file("policies/fair.wat").exists() && !demo.file("pointsman.sock").exists());
}

#[test]
fn it_is_what_happens_where_there_is_no_configuration_and_can_be_interrupted() {
    let mut demo = demo(&[]);
    demo.says("There is no `pointsman.toml` here");
    let log = || std::fs::read_to_string(demo.file("pointsman.log")).unwrap_or_default();
    eventually("the gateway runs", || log().contains("listening on"));

    demo.interrupt();
    assert_eq!(demo.ends(), 0);
    assert!(!demo.file("pointsman.sock").exists());
}

#[test]
fn where_its_folder_cannot_be_it_takes_a_temporary_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("pointsman-demo"), "in the way").expect("it can be written");
    let mut demo = demo_in(folder, &["demo", "--exit", "--seconds", "0.1", "--port", "0"]);
    assert_eq!(demo.ends(), 0);
    let name = format!("pointsman-demo-{}/pointsman.toml", demo.child.id());
    assert!(demo.folder.path().join(name).exists());
}
