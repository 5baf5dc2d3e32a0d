//! One policy in every language (`examples/policies`): what `policy new` makes of each example builds
//! with its one command, passes the kit, and picks as the Rust one did for 2,000 recorded requests.
//!
//! A language whose tools are not there is skipped, and says so; `POINTSMAN_LANGUAGES="c js"` names
//! those that must be there. `POINTSMAN_NODE_MODULES` names a folder that npm has installed into.
//! `BLESS=1` records the requests anew, with the Rust policy.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs};

use pointsman::kit::{Wishes, examine};
use pointsman::policy::{Ask, Birth, Choice, Engine, Facts, Instance, Limits, Policy};
use pointsman::stats::{InFlight, Outcome, UpstreamStats, Verdict};
use pointsman::upstream::{Backend, Candidates};

#[allow(dead_code, unreachable_pub, unused_imports, reason = "the scenarios use the rest")]
mod harness;

use harness::{Load, backends, eventually, gateway, guest, pointsman};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

const RECORDING: &str = "../examples/policies/requests.csv";
const REQUESTS: u32 = 2_000;
const WEIGHTS: [u32; 6] = [1, 1, 2, 2, 3, 4];
const OPTIONS: &str = r#"{"penalty":30}"#;

/// Generous: on a busy machine only what never returns is too slow.
fn limits() -> Limits {
    Limits { pick: Duration::from_millis(500), init: Duration::from_secs(20), ..Limits::default() }
}

/// The folder of the language's example as `policy new` makes it, built; none without its tools.
struct Built {
    _folder: tempfile::TempDir,
    bytes: Vec<u8>,
}

fn built(language: &str, tools: &[&str]) -> Option<Built> {
    built_with(language, tools, &[])
}

fn built_with(language: &str, tools: &[&str], settings: &[(&str, &str)]) -> Option<Built> {
    built_from(language, tools, settings, |_| ())
}

/// What `policy new` makes, changed by `change` before it is built.
fn built_from(
    language: &str,
    tools: &[&str],
    settings: &[(&str, &str)],
    change: impl FnOnce(&Path),
) -> Option<Built> {
    let missing: Vec<_> = tools.iter().filter(|tool| !installed(tool)).collect();
    if !missing.is_empty() {
        let wanted = env::var("POINTSMAN_LANGUAGES").unwrap_or_default();
        assert!(!wanted.split(' ').any(|name| name == language), "{language}: {missing:?} must be there");
        eprintln!("skipped: {language}, because {missing:?} is not there");
        return None;
    }
    // One after the other: to cargo all of them are the same crate, which it builds again only if its files
    // are younger than the last build.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = (language == "rust").then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let folder = tempfile::tempdir().unwrap();
    let pointsman = env!("CARGO_BIN_EXE_pointsman");
    run(Command::new(pointsman).current_dir(&folder).args(["policy", "new", "--lang", language, "mine"]));
    change(&folder.path().join("mine"));
    if let Some(modules) = node_modules() {
        std::os::unix::fs::symlink(modules, folder.path().join("mine/node_modules")).unwrap();
    }
    // Beside other builds of the Rust example, so that not all of it is compiled each time.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    let mut build = Command::new("sh");
    build
        .arg(folder.path().join("mine/build.sh"))
        .env("POINTSMAN", pointsman)
        .env("CARGO_TARGET_DIR", target);
    run(build.envs(settings.iter().copied()));
    let bytes = fs::read(folder.path().join("mine/mine.wasm")).unwrap();
    Some(Built { _folder: folder, bytes })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{command:?}: {}", said.join("\n"));
}

fn node_modules() -> Option<PathBuf> {
    env::var_os("POINTSMAN_NODE_MODULES").map(PathBuf::from)
}

fn installed(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let modules = node_modules().map(|modules| modules.join(".bin"));
    env::split_paths(&path).chain(modules).any(|folder| folder.join(tool).exists())
}

/// Passes the kit, and picks as recorded.
fn holds(language: &str, built: &Built) {
    let wishes = Wishes { limits: limits(), ..Wishes::default() };
    let card = examine(&ENGINE, language, &built.bytes, &wishes);
    assert!(card.passed(), "{card}");
    println!("{card}");
    replay(language, &built.bytes);
}

/// Candidates of the recording, and an instance over them.
struct World {
    candidates: Arc<Candidates>,
    instance: Instance,
    held: Vec<Vec<InFlight<Arc<pointsman::stats::BackendStats>>>>,
}

impl World {
    fn new(language: &str, bytes: &[u8]) -> Self {
        let backends: Vec<_> =
            WEIGHTS.iter().enumerate().map(|(slot, weight)| Arc::new(backend(slot, *weight))).collect();
        let stats = Arc::new(UpstreamStats::default());
        let candidates = Arc::new(Candidates::of("recorded".into(), stats, &backends));
        let policy = Policy::load(&ENGINE, language, bytes).unwrap();
        let birth = Birth {
            options: OPTIONS,
            candidates: Arc::clone(&candidates),
            seed: 11,
            state: None,
            limits: limits(),
        };
        let instance = policy.instantiate(birth).unwrap();
        Self { candidates, instance, held: WEIGHTS.iter().map(|_| Vec::new()).collect() }
    }

    fn pick(&mut self, now: u64, random: u32, tried: &[u32]) -> Option<u32> {
        let ask = Ask { attempt: tried.len() as u32, random, now, ..Ask::default() };
        let mut facts = Facts { tried: tried.into(), ..Facts::default() };
        let Choice::Backend(index) = self.instance.pick(&ask, &mut facts).unwrap() else { return None };
        let stats = Arc::clone(&self.candidates.backends[index as usize].stats);
        self.held[index as usize].push(InFlight::begin(stats, now));
        Some(index)
    }

    fn end(&mut self, index: u32, verdict: Verdict, total: u32, now: u64) {
        self.held[index as usize].pop();
        let outcome = Outcome { verdict, status: 0, connect: 0, first_byte: total / 2, total, now };
        self.candidates.backends[index as usize].stats.record(&outcome, &self.candidates.stats);
    }
}

fn backend(slot: usize, weight: u32) -> Backend {
    let name = format!("10.0.0.{}:80", slot + 1);
    Backend { weight, ..Backend::new(&name, name.parse().unwrap(), slot) }
}

/// Asks a policy what was asked when the recording was made, with what was measured then.
fn replay(language: &str, bytes: &[u8]) {
    let recording = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDING)).unwrap();
    let mut world = World::new(language, bytes);
    let mut requests = 0;
    for (line, row) in recording.lines().enumerate().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        match fields[..] {
            ["pick", now, random, tried, chosen] => {
                let tried: Vec<u32> = tried.split_whitespace().map(|word| word.parse().unwrap()).collect();
                let choice = world.pick(now.parse().unwrap(), random.parse().unwrap(), &tried);
                assert_eq!(choice, chosen.parse().ok(), "{language}, line {}: {row}", line + 1);
                requests += u32::from(tried.is_empty());
            }
            ["end", now, index, verdict, total] => {
                let verdict = Verdict::ALL.into_iter().find(|known| known.name() == verdict).unwrap();
                world.end(index.parse().unwrap(), verdict, total.parse().unwrap(), now.parse().unwrap());
            }
            _ => panic!("line {}: {row}", line + 1),
        }
    }
    assert_eq!(requests, REQUESTS);
}

/// An attempt of the recording: when it ends, where it is, how it ends (the number of the verdict), when
/// it began, and what had been tried with it.
type Running = (u64, u32, usize, u64, Vec<u32>);

/// Makes the recording: requests of a few seconds, some backends slower than others, one that fails
/// half of the time, and retries.
fn record(bytes: &[u8]) -> String {
    let mut world = World::new("rust", bytes);
    let mut rows = "what,time in µs,random or candidate,tried or verdict,chosen or µs\n".to_owned();
    let mut dice = 1u64;
    let mut roll = |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    let mut running: BinaryHeap<Reverse<Running>> = BinaryHeap::new();
    let mut due: Vec<(u64, Vec<u32>)> = Vec::new();
    let mut arrives = 1_000_000;
    let mut arrived = 0;
    while arrived < REQUESTS || !running.is_empty() {
        let next_end = running.peek().map_or(u64::MAX, |Reverse((ends, ..))| *ends);
        if arrived < REQUESTS && arrives <= next_end {
            due.push((arrives, Vec::new()));
            arrives += 500 + roll(4_000);
            arrived += 1;
        } else if let Some(Reverse((now, index, verdict, began, tried))) = running.pop() {
            let (verdict, total) = (Verdict::ALL[verdict], (now - began) as u32);
            world.end(index, verdict, total, now);
            writeln!(rows, "end,{now},{index},{},{total}", verdict.name()).unwrap();
            if verdict.is_failure() {
                due.push((now, tried));
            }
        }
        for (now, mut tried) in due.drain(..) {
            let random = roll(1 << 31);
            let words: Vec<String> = tried.iter().map(ToString::to_string).collect();
            let choice = world.pick(now, random as u32, &tried);
            let chosen = choice.map_or_else(|| "-".to_owned(), |index| index.to_string());
            writeln!(rows, "pick,{now},{random},{},{chosen}", words.join(" ")).unwrap();
            let Some(index) = choice else { continue };
            tried.push(index);
            let fails = index == 2 && roll(2) == 0;
            let takes = if fails { 300 } else { 8_000 * (u64::from(index) + 1) + roll(20_000) };
            let verdict = if fails { Verdict::ConnectFailed } else { Verdict::Success };
            running.push(Reverse((now + takes, index, verdict as usize, now, tried)));
        }
    }
    rows
}

#[test]
fn rust() {
    let Some(built) = built("rust", &["cargo", "rustup"]) else { return };
    if env::var_os("BLESS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDING), record(&built.bytes)).unwrap();
    }
    holds("rust", &built);
    tells_what_is_wrong_with_an_option(&built.bytes);
}

/// What `policy new` makes for Rust, with a mistake in `pick` that one request in the world brings out.
#[test]
fn a_panic_in_rust_costs_no_request_and_its_words_reach_the_log() {
    let begins = "fn pick(&mut self, request: &Request) -> Choice {";
    let mistake = format!(
        "{begins}\nassert_ne!(request.body_length, Some({}), \"nobody thought of this\");",
        guest::POISON
    );
    let Some(built) = built_from("rust", &["cargo", "rustup"], &[], |folder| {
        let file = folder.join("src/lib.rs");
        let source = fs::read_to_string(&file).unwrap();
        assert!(source.contains(begins), "{source}");
        fs::write(&file, source.replace(begins, &mistake)).unwrap();
    }) else {
        return;
    };
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        // On a busy machine a panic that is cut while it speaks would be another kind of fault.
        .section("[sandbox]\npick_deadline = \"1s\"")
        .file("policies/mine.wasm", &built.bytes)
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();

    assert_eq!(gateway.ask(&guest::poison()).status(), 200);
    assert_eq!(gateway.faults("api", "trap"), 1);
    gateway.says("panicked at src/lib.rs");
    gateway.says("nobody thought of this");
}

/// The operator reads which option is wrong, how, and where it stands.
fn tells_what_is_wrong_with_an_option(bytes: &[u8]) {
    let [a] = backends(["a"]);
    for (option, words) in [
        ("penalty = \"high\"", "penalty: expected a whole number from 0 to 4294967295, found \"high\""),
        ("penalties = 3", "there is no option `penalties`; there are `penalty`"),
        ("penalty = 5000", "`penalty` is 5000: a whole number from 0 to 1000 is wanted"),
    ] {
        let plan = gateway()
            .file("policies/mine.wasm", bytes)
            .upstream("api", [&a])
            .policy(&format!("{{ use = \"mine\", {option} }}"))
            .write();
        let checked = pointsman(&["check", "-c", &plan.path().display().to_string()]);
        assert_eq!(checked.code, 1, "{checked:?}");
        for part in [words, &format!("{{ use = \"mine\", {option} }}")] {
            assert!(checked.stderr.contains(part), "{part}: {checked:?}");
        }
    }
}

#[test]
fn wat() {
    holds("wat", &built("wat", &[]).unwrap());
}

#[test]
fn the_text_itself_is_a_policy_too() {
    let text = include_str!("../examples/policies/wat/least_wait.wat");
    replay("wat", text.as_bytes());
}

#[test]
fn c() {
    if let Some(built) = built("c", &["clang", "wasm-ld"]) {
        holds("c", &built);
    }
}

#[test]
fn c_with_zig() {
    let compiler = if installed("zig") { "zig cc" } else { "python-zig cc" };
    let tool = compiler.split(' ').next().unwrap();
    // The other compiler is the one that must be there.
    if !installed(tool) {
        eprintln!("skipped: C with zig, because {tool} is not there");
    } else if let Some(built) = built_with("c", &[tool], &[("CC", compiler)]) {
        holds("c", &built);
    }
}

#[test]
fn javascript() {
    if let Some(built) = built("js", &["node", "componentize-qjs"]) {
        holds("js", &built);
    }
}

#[test]
fn typescript() {
    if let Some(built) = built("ts", &["node", "componentize-qjs", "esbuild", "tsc"]) {
        holds("ts", &built);
    }
}

#[test]
fn python() {
    if let Some(built) = built("python", &["componentize-py"]) {
        holds("python", &built);
        takes_over(&built.bytes);
    }
}

/// Dropped into the folder of a gateway under load, it picks before long, and nobody notices.
fn takes_over(bytes: &[u8]) {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .top("workers = 2")
        .top("policy_cache = \"cache\"")
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    let load = Load::on(&gateway, 4);
    load.goes_on_for(100);
    assert_eq!(b.hits(), 0);

    fs::remove_file(gateway.file("policies/mine.wat")).unwrap();
    gateway.write("policies/mine.wasm", bytes);
    let version = Policy::version_of(bytes);
    let begun = Instant::now();
    while gateway.policy("api")["version"] != version.as_str() {
        assert!(begun.elapsed() < Duration::from_secs(240), "it never came into force: {}", gateway.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("in force after {:.1?}", begun.elapsed());
    // The old one would never have picked it; how often the new one does depends on how fast the two are.
    eventually("the new one picks the other backend", || b.hits() > 0);
    load.goes_on_for(500);
    load.stop();
    assert_eq!(gateway.faults("api", "trap") + gateway.faults("api", "memory"), 0);
}

#[test]
fn zig() {
    let compiler = if installed("zig") { "zig" } else { "python-zig" };
    if let Some(built) = built_with("zig", &[compiler], &[("ZIG", compiler)]) {
        holds("zig", &built);
    }
}

#[test]
fn assemblyscript() {
    if let Some(built) = built("assemblyscript", &["node", "asc"]) {
        holds("assemblyscript", &built);
    }
}

#[test]
fn go() {
    // Older ones cannot export functions with names of one's choice.
    if installed("go") && go_version().is_some_and(|minor| minor < 24) {
        return eprintln!("skipped: go, because it is older than 1.24");
    }
    if let Some(built) = built("go", &["go"]) {
        holds("go", &built);
    }
}

/// The 24 of "go version go1.24.3 linux/amd64".
fn go_version() -> Option<u32> {
    let said = Command::new("go").arg("version").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    said.split("go1.").nth(1)?.split(['.', ' ']).next()?.parse().ok()
}
