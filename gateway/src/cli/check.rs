//! `pointsman check`

use std::io::IsTerminal;
use std::path::Path;

use super::Code;
use crate::app;
use crate::config::{self, Problems};
use crate::policy::Engine;

pub(super) fn check(path: &Path) -> Code {
    let (loaded, mut problems) = config::examine(path);
    let cache = loaded.as_ref().and_then(|loaded| loaded.config.policy_cache.as_deref());
    let engine = match Engine::keeping(cache) {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("{error}");
            return Code::System;
        }
    };
    let Some(loaded) = loaded else { return refuse(&problems) };
    if !problems.is_empty() {
        problems.extend(app::try_policies(&loaded, &engine));
        return refuse(&problems);
    }
    if !loaded.warnings.is_empty() {
        show(&loaded.warnings);
    }
    let plan = match app::plan(&loaded, &engine) {
        Ok(plan) => plan,
        Err(problems) => return refuse(&problems),
    };
    for (upstream, policy, report) in plan.trials() {
        println!(
            "upstream {upstream}: policy {} {}: {} picks tried, born in {:.0?}, {:.0?} a pick",
            policy.name(),
            policy.version(),
            report.picks,
            report.birth,
            report.median,
        );
    }
    println!("{}: the configuration is good", path.display());
    Code::Done
}

fn refuse(problems: &Problems) -> Code {
    show(problems);
    Code::Refused
}

fn show(problems: &Problems) {
    if std::io::stderr().is_terminal() {
        eprintln!("{}", problems.coloured());
    } else {
        eprintln!("{problems}");
    }
}
