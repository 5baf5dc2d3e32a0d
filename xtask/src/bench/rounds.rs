//! The measuring itself: scenario by scenario, round by round, proxy by proxy.

use std::env;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use tempfile::TempDir;

use super::error::{Doing, Error};
use super::process::Process;
use super::proxy::{self, Cores, Place, Proxy};
use super::scenario::Scenario;
use super::table::{Column, Round};
use super::{Arguments, fill, load, machine};

/// What stays the same over all scenarios.
pub(super) struct Bench {
    rounds: u32,
    seconds: u32,
    nginx: PathBuf,
    wrk: PathBuf,
    proxies: Vec<(Proxy, PathBuf)>,
    interrupted: Arc<AtomicBool>,
}

/// A proxy under measurement.
struct Contestant {
    proxy: Proxy,
    process: Process,
    port: u16,
    rounds: Vec<Round>,
}

impl Bench {
    /// Finds the programs, and watches for ctrl-c from now on.
    pub(super) fn new(arguments: &Arguments) -> Result<Self, Error> {
        let [nginx, haproxy] = [proxy::find("nginx")?, proxy::find("haproxy")?];
        let mut proxies = vec![(Proxy::Nginx, nginx.clone()), (Proxy::Haproxy, haproxy)];
        match gateway(arguments.gateway.as_deref()) {
            Ok(path) => proxies.push((Proxy::Pointsman, path)),
            Err(path) => {
                eprintln!("no gateway at {}, measuring the others (cargo build --release)", path.display());
            }
        }
        if let Some(path) = &arguments.before {
            let path = gateway(Some(path)).map_err(Error::NoGateway)?;
            proxies.push((Proxy::Before, path));
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).doing("watch for signals")?;
        }
        let wrk = proxy::find("wrk")?;
        Ok(Self { rounds: arguments.rounds, seconds: arguments.seconds, nginx, wrk, proxies, interrupted })
    }

    /// Versions and machine.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{}; {} rounds of {} s\n\n", machine::describe(), self.rounds, self.seconds);
        for (proxy, path) in &self.proxies {
            let ours = matches!(proxy, Proxy::Pointsman | Proxy::Before);
            let flag = if ours { "--version" } else { "-v" };
            text += &format!("- {}\n", machine::version(path, flag));
        }
        text + &format!("- {}\n", machine::version(&self.wrk, "-v"))
    }

    /// Everything is started anew for a scenario, and stopped after it.
    pub(super) fn scenario(&self, scenario: Scenario) -> Result<Vec<Column>, Error> {
        let folder = folder()?;
        let (_backend, backends) = self.backend(folder.path())?;
        load::prepare(scenario, folder.path())?;
        let place = Place { folder: folder.path(), backends, logs: scenario.logs() };
        let mut contestants = Vec::new();
        for (proxy, program) in &self.proxies {
            let port = free_port()?;
            let process = proxy.start(program, place, port)?;
            contestants.push(Contestant { proxy: *proxy, process, port, rounds: Vec::new() });
        }
        for contestant in &contestants {
            self.measure(contestant, scenario, folder.path(), 1)?; // warms up, and shows whether it works at all
        }
        for round in 0..self.rounds {
            contestants.rotate_left(1);
            for contestant in &mut contestants {
                let seen = self.measure(contestant, scenario, folder.path(), self.seconds)?;
                contestant.rounds.push(seen);
            }
            eprintln!("{scenario}, round {} of {}: {}", round + 1, self.rounds, latest(&contestants));
        }
        contestants.sort_by_key(|contestant| contestant.proxy as u8);
        Ok(contestants
            .into_iter()
            .map(|Contestant { proxy, rounds, .. }| Column { scenario, proxy, rounds })
            .collect())
    }

    /// Starts the backends: one nginx on two ports.
    fn backend(&self, folder: &Path) -> Result<(Process, [u16; 2]), Error> {
        for scenario in [Scenario::Answers64K, Scenario::Answers1M] {
            let file = folder.join(scenario.path().trim_start_matches('/'));
            fs::write(&file, vec![b'x'; scenario.answer()]).doing(format!("write {}", file.display()))?;
        }
        let ports = [free_port()?, free_port()?];
        let [a, b] = ports.map(|port| port.to_string());
        let small = "x".repeat(Scenario::Small.answer());
        let known =
            [("backend_a", &*a), ("backend_b", &b), ("small", &small), ("folder", &folder.to_string_lossy())];
        let file = folder.join("backend.conf");
        fs::write(&file, fill(include_str!("configs/backend.conf"), &known)).doing("write backend.conf")?;
        let mut command = proxy::pinned(&self.nginx, Cores::Rest);
        proxy::nginx(&mut command, folder, &file);
        Ok((Process::start("backend", command, folder, ports[1])?, ports))
    }

    /// Loads one proxy for `seconds`.
    fn measure(
        &self,
        of: &Contestant,
        scenario: Scenario,
        folder: &Path,
        seconds: u32,
    ) -> Result<Round, Error> {
        let wrong = |what| Error::Wrong {
            program: of.proxy.name(),
            scenario: scenario.to_string(),
            what,
            output: of.process.last_words(),
        };
        let wrk = proxy::pinned(&self.wrk, Cores::Rest);
        let before = of.process.cpu()?;
        let seen = load::run(wrk, scenario, folder, of.port, seconds, &self.interrupted)?;
        let after = of.process.cpu()?;
        if seen.requests == 0.0 {
            return Err(wrong(String::from("no request was answered")));
        }
        if seen.errors as f64 > seen.requests / 100.0 {
            return Err(wrong(format!("{} of {} requests failed", seen.errors, seen.requests)));
        }
        if seen.bytes / seen.requests < scenario.answer() as f64 {
            return Err(wrong(format!("answers have {:.0} bytes on average", seen.bytes / seen.requests)));
        }
        let each = |seconds: f64| seconds * 1e6 / seen.requests;
        Ok(Round { user: each(after.user - before.user), system: each(after.system - before.system), seen })
    }
}

/// `Err` with the path where none is.
pub(super) fn gateway(asked: Option<&Path>) -> Result<PathBuf, PathBuf> {
    let target = || PathBuf::from(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let path = asked.map_or_else(|| target().join("release/pointsman"), Path::to_path_buf);
    // Programs are started in another folder, so the path must not depend on this one.
    path.canonicalize().map_err(|_| path)
}

/// A temporary folder that nginx's workers may enter when nginx was started by root.
fn folder() -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix("pointsman-bench-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .doing("create a temporary folder")
}

/// A port that nobody listens on now; somebody else may take it before we do, and then a program says so.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).doing("look for a free port")?;
    Ok(listener.local_addr().doing("look for a free port")?.port())
}

fn latest(contestants: &[Contestant]) -> String {
    let mut all: Vec<String> = contestants
        .iter()
        .filter_map(|of| of.rounds.last().map(|round| format!("{} {:.1} µs", of.proxy, round.cpu())))
        .collect();
    all.sort();
    all.join(", ")
}
