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
            let own = folder.join(format!("{policy}-{number}"));
            fs::create_dir(&own).doing("create a folder")?;
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let address = free.doing("find a free port")?;
            fs::write(own.join("pointsman.toml"), text(address, policy, backends))
                .doing("write a configuration")?;
            let process = Process::start("pointsman", Command::new(&program), &own, address.port())?;
            running.push((address, process));
        }
        Ok(Self { running })
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.running.iter().map(|(address, _)| *address).collect()
    }
}

fn text(address: SocketAddr, policy: &str, backends: &[SocketAddr]) -> String {
    let mut list = String::new();
    for backend in backends {
        let _ = write!(list, "\"{backend}\", ");
    }
    format!(
        "workers = 1\n[[listen]]\naddress = \"{address}\"\n[[route]]\nupstream = \"fleet\"\n\
         [upstream.fleet]\nbackends = [{list}]\npolicy = \"{policy}\"\nhash_key = \"$request_uri\"\n"
    )
}
