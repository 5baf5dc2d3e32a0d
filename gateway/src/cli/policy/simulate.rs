//! `pointsman policy simulate`

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;

use super::Code;
use super::contestant::contestant;
use super::replay::replay;
use crate::policy::{Engine, usual_cache};
use crate::simulate::{Comparison, Contestant, Outcome, SHIPPED, Scenario, Trace, run, shipped, svg, table};

#[derive(Args)]
pub(in crate::cli) struct Simulate {
    /// A scenario: the name of one that ships, or a file; may be given several times
    #[arg(short, long = "scenario", value_name = "NAME or FILE", required_unless_present_any = ["list", "recording"])]
    scenarios: Vec<String>,
    /// A policy, as in a configuration: a name, a file, or a table, `{ use = "random", choices = 2 }`;
    /// may be given several times
    #[arg(short, long = "policy", value_name = "POLICY", required_unless_present = "list")]
    policies: Vec<String>,
    /// The folder of policies that are not built in
    #[arg(long, value_name = "FOLDER", default_value = "policies")]
    policies_folder: PathBuf,
    /// Let the requests of an access log or recording arrive, instead of the scenario's
    #[arg(long, value_name = "FILE")]
    arrivals: Option<PathBuf>,
    /// Make the picks of a recording again, with the statistics as they stood, instead of a scenario
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenarios", "arrivals", "requests", "svg"])]
    recording: Option<PathBuf>,
    /// Number of requests, instead of the scenario's
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    requests: Option<u64>,
    /// The same seed gives the same outcome
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Draw the latencies into this file (of several scenarios: `-NAME` is added to its name)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Show the scenarios that ship
    #[arg(long)]
    list: bool,
}

/// What went wrong, and what the program ends with for it.
type Failed = (String, Code);

fn refused(why: String) -> Failed {
    (why, Code::Refused)
}

pub(super) fn simulate(asked: &Simulate) -> Code {
    if asked.list {
        return list();
    }
    match compare_all(asked) {
        Ok(code) => code,
        Err((why, code)) => {
            eprintln!("{why}");
            code
        }
    }
}

fn list() -> Code {
    for (name, text) in SHIPPED {
        // A test reads all of them.
        if let Ok(scenario) = Scenario::parse(name, text) {
            println!("{name:<10} {}", scenario.about);
        }
    }
    Code::Done
}

fn compare_all(asked: &Simulate) -> Result<Code, Failed> {
    let engine = Engine::keeping(usual_cache().as_deref()).map_err(|error| (error, Code::System))?;
    let contestant = |named: &String| contestant(&engine, &asked.policies_folder, named).map_err(refused);
    let contestants: Vec<Contestant> = asked.policies.iter().map(contestant).collect::<Result<_, _>>()?;
    if let Some(recording) = &asked.recording {
        return replay(recording, &contestants, asked.json);
    }
    let scenarios: Vec<(Scenario, Option<Trace>)> =
        asked.scenarios.iter().map(|named| scenario(asked, named)).collect::<Result<_, _>>()?;
    let mut comparisons = Vec::new();
    for (scenario, trace) in &scenarios {
        let comparison = compare(scenario, trace.as_ref(), &contestants, asked.seed).map_err(refused)?;
        if !asked.json {
            println!("{}", table(&comparison));
        }
        comparison.outcomes.iter().for_each(tell);
        if let Some(path) = &asked.svg {
            draw(path, &comparison, scenarios.len() > 1)?;
        }
        comparisons.push(comparison);
    }
    if asked.json {
        let json = serde_json::to_string_pretty(&comparisons).map_err(|error| refused(error.to_string()))?;
        println!("{json}");
    }
    Ok(Code::Done)
}

/// The scenario of this name, and what arrives if the scenario does not say it itself.
fn scenario(asked: &Simulate, named: &str) -> Result<(Scenario, Option<Trace>), Failed> {
    let path = Path::new(named);
    let mut scenario = match shipped(named) {
        Some(shipped) if !path.exists() => shipped.map_err(refused)?,
        _ => read(path)?,
    };
    if let Some(requests) = asked.requests {
        scenario.requests = requests;
    }
    let beside = |file: &Path| path.parent().unwrap_or(Path::new("")).join(file);
    let file = asked.arrivals.clone().or_else(|| scenario.arrivals_file().map(beside));
    let trace = file.map(|file| Trace::read(&file)).transpose().map_err(refused)?;
    Ok((scenario, trace))
}

fn read(path: &Path) -> Result<Scenario, Failed> {
    let text = fs::read_to_string(path).map_err(|error| {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let why = format!(
            "cannot read the scenario `{}`: {error}\nthese ship: {}",
            path.display(),
            names.join(", ")
        );
        (why, Code::System)
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Scenario::parse(&name, &text).map_err(refused)
}

/// All policies under one scenario, as many at a time as there are processors.
fn compare(
    scenario: &Scenario,
    trace: Option<&Trace>,
    contestants: &[Contestant],
    seed: u64,
) -> Result<Comparison, String> {
    let most = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes = Vec::new();
    for some in contestants.chunks(most) {
        let ended: Vec<Result<Outcome, String>> = thread::scope(|scope| {
            let runs: Vec<_> =
                some.iter().map(|one| scope.spawn(move || run(scenario, one, trace, seed))).collect();
            let broken = || Err("the simulation broke off".to_owned());
            runs.into_iter().map(|run| run.join().unwrap_or_else(|_| broken())).collect()
        });
        for outcome in ended {
            outcomes.push(outcome?);
        }
    }
    let (name, about) = (scenario.name.clone(), scenario.about.clone());
    Ok(Comparison { scenario: name, about, seed, outcomes })
}

/// What is not the same in each run, apart from what is.
fn tell(outcome: &Outcome) {
    eprintln!(
        "{}: {} ns a pick on this machine, simulated in {:.1} s",
        outcome.policy,
        outcome.pick_nanos,
        outcome.elapsed.as_secs_f64()
    );
}

fn draw(path: &Path, comparison: &Comparison, several: bool) -> Result<(), Failed> {
    let mut path = path.to_owned();
    if several {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        path.set_file_name(format!("{stem}-{}.svg", comparison.scenario));
    }
    fs::write(&path, svg(comparison))
        .map_err(|error| (format!("cannot write `{}`: {error}", path.display()), Code::System))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_run_side_by_side_and_stay_in_order() {
        let engine = Engine::new().unwrap();
        let named = ["random", "round_robin", "{ use = \"random\", choices = 2 }"];
        let of = |named: &str| contestant(&engine, Path::new("policies"), named).unwrap();
        let contestants = named.map(of).to_vec();
        let mut scenario = shipped("light").unwrap().unwrap();
        scenario.requests = 500;
        let comparison = compare(&scenario, None, &contestants, 1).unwrap();
        let labels: Vec<_> = comparison.outcomes.iter().map(|outcome| outcome.policy.as_str()).collect();
        assert_eq!(labels, ["random", "round_robin", "random choices=2"]);
        assert_eq!(&*contestants[2].options, "{\"choices\":2}");
    }
}
