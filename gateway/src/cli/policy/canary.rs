//! `pointsman policy promote` and `rollback`

use std::path::Path;

use clap::Args;

use super::Code;
use super::record::command;
use crate::admin::Wish;

#[derive(Args)]
pub(in crate::cli) struct Which {
    /// The upstream; may be left out if there is only one
    #[arg(short, long, value_name = "NAME")]
    upstream: Option<String>,
}

pub(super) fn decide(which: &Which, config: &Path, path: &str) -> Code {
    let wish = Wish { upstream: which.upstream.clone(), ..Wish::default() };
    match command(config, path, &wish) {
        Ok(answer) => {
            println!("{}", answer.trim_end());
            Code::Done
        }
        Err(code) => code,
    }
}
