//! `pointsman run`

use std::path::Path;

use super::Code;
use crate::app::{self, Failure};

pub(super) fn run(config: &Path) -> Code {
    match app::run(config) {
        Ok(()) => Code::Done,
        Err(failure) => {
            eprintln!("{failure}");
            match failure {
                Failure::Configuration(_) => Code::Refused,
                Failure::System(_) => Code::System,
            }
        }
    }
}
