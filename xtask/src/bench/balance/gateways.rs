//! The gateways of one policy.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use super::super::error::{Doing, Error};
use super::super::process::Process;
use super::super::rounds;
use super::Arguments;

/// Running gateways; they stop when this value goes.
#[derive(Debug)]
pub(super) struct Gateways {
    running: Vec<(SocketAddr, Process)>,
}

impl Gateways {
    /// Starts as many as the arguments say before these backends.
    pub(super) fn start(
        arguments: &Arguments,
        policy: &str,
        backends: &[SocketAddr],
        folder: &Path,
    ) -> Result<Self, Error> {
        let program = rounds::gateway(arguments.gateway.as_deref()).map_err(Error::NoGateway)?;
        let mut running = Vec::new();
        for number in 0..arguments.gateways {
            let own = folder.join(number.to_string());
            fs::create_dir_all(&own).doing("create a folder")?;
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let address = free.doing("find a free port")?;
            fs::write(own.join("pointsman.toml"), text(arguments, address, policy, backends)?)
                .doing("write a configuration")?;
            let process = Process::start("pointsman", Command::new(&program), &own, address.port())?;
            running.push((address, process));
        }
        Ok(Self { running })
    }

    /// CPU time that they have used so far, seconds.
    pub(super) fn cpu(&self) -> Result<f64, Error> {
        let used = self.running.iter().map(|(_, process)| process.cpu());
        used.map(|cpu| cpu.map(|cpu| cpu.user + cpu.system)).sum()
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.running.iter().map(|(address, _)| *address).collect()
    }
}

fn text(
    arguments: &Arguments,
    address: SocketAddr,
    policy: &str,
    backends: &[SocketAddr],
) -> Result<String, Error> {
    let mut list = String::new();
    for backend in backends {
        let _ = write!(list, "\"{backend}\", ");
    }
    let folder = match &arguments.policies_folder {
        Some(folder) => {
            let folder = folder.canonicalize().doing(format!("find {}", folder.display()))?;
            format!("policies = {:?}\n", folder.display().to_string())
        }
        None => String::new(),
    };
    Ok(format!(
        "workers = 1\n{folder}[[listen]]\naddress = \"{address}\"\n[[route]]\nupstream = \"fleet\"\n\
         [upstream.fleet]\nbackends = [{list}]\npolicy = {}\nhash_key = \"$request_uri\"\n",
        value(policy)
    ))
}

/// A policy as the configuration has it: `random choices=2` is `{ use = "random", choices = 2 }`.
fn value(policy: &str) -> String {
    let mut words = policy.split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    let options: String = words.map(|option| format!(", {option}")).collect();
    format!("{{ use = \"{name}\"{options} }}")
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn options_follow_the_name() {
        assert_eq!(value("p2c"), r#"{ use = "p2c" }"#);
        assert_eq!(value(r#"p2c choices=3 by="latency""#), r#"{ use = "p2c", choices=3, by="latency" }"#);
    }
}
