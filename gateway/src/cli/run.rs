//! `pointsman run`

use std::path::Path;

use super::Code;
use crate::app::{self, Failure};

pub(super) fn run(config: &Path) -> Code {
    code(app::run(config))
}

/// What it means to the caller how a gateway ended; on standard error, why.
pub(super) fn code(ended: Result<(), Failure>) -> Code {
    match ended {
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
