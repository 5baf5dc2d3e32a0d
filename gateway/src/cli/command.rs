//! `pointsman reload`, `stop`, `quit`, `upgrade`, `drain`, `undrain`, `reopen`: commands to the running
//! gateway.

use std::path::Path;

use super::Code;
use crate::admin::client;
use crate::config;

/// Sends a command over the control socket that the configuration names, and shows the answer.
pub(super) fn send(path: &Path, command: &str) -> Code {
    let socket = config::control_of(path);
    match client::post(&socket, command) {
        Err(error) => {
            eprintln!("{error}");
            Code::System
        }
        Ok(answer) if answer.status == 200 => {
            println!("{}", answer.text.trim_end());
            Code::Done
        }
        Ok(answer) => {
            eprintln!("{}", answer.text.trim_end());
            Code::Refused
        }
    }
}
