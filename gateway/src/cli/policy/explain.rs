//! `pointsman policy explain`

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::Code;
use super::contestant::contestant;
use super::record::command;
use crate::admin::Wish;
use crate::policy::Engine;
use crate::policy::recording::Recording;

#[derive(Args)]
pub(in crate::cli) struct Explain {
    /// The upstream; may be left out if there is only one
    #[arg(short, long, value_name = "NAME")]
    upstream: Option<String>,
    /// How long to wait for a request, seconds
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Explain a pick of this recording instead, without a gateway
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["upstream", "seconds"])]
    recording: Option<PathBuf>,
    /// Which pick of the recording, from 0
    #[arg(short, long, default_value_t = 0, requires = "recording")]
    pick: usize,
    /// The folder of policies that are not built in
    #[arg(long, value_name = "FOLDER", default_value = "policies")]
    policies_folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn explain(asked: &Explain, config: &Path) -> Code {
    let explained = match &asked.recording {
        Some(file) => of_recording(asked, file).map_err(|(why, code)| {
            eprintln!("{why}");
            code
        }),
        None => {
            let patience = Duration::from_secs(asked.seconds);
            let wish = Wish { upstream: asked.upstream.clone(), patience, ..Wish::default() };
            command(config, "/explain", &wish)
        }
    };
    match explained {
        Ok(json) => show(&json, asked.json),
        Err(code) => code,
    }
}

fn of_recording(asked: &Explain, file: &Path) -> Result<String, (String, Code)> {
    let refused = |why: String| (format!("`{}`: {why}", file.display()), Code::Refused);
    let text = fs::read_to_string(file)
        .map_err(|error| (format!("cannot read `{}`: {error}", file.display()), Code::System))?;
    let recording = Recording::read(&text).map_err(refused)?;
    let engine = Engine::new().map_err(|error| (error, Code::System))?;
    let policy =
        contestant(&engine, &asked.policies_folder, &recording.header.policy).map_err(refused)?.policy;
    let explained = recording.explain(&policy, asked.pick).map_err(refused)?;
    serde_json::to_string_pretty(&explained).map_err(|error| refused(error.to_string()))
}

fn show(json: &str, as_json: bool) -> Code {
    let Ok(explained) = serde_json::from_str::<Value>(json) else {
        eprintln!("the gateway's answer is not JSON");
        return Code::System;
    };
    if as_json {
        println!("{}", json.trim_end());
        return Code::Done;
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    println!("upstream  {}", text(&explained["upstream"]));
    println!("policy    {} {}", text(&explained["policy"]), text(&explained["version"]));
    let request = &explained["request"];
    println!("request   {} {}", text(&request["method"]), text(&request["target"]));
    println!("choice    {}", text(&explained["choice"]));
    if let Some(words) = explained["words"].as_str() {
        println!("because   {words}");
    }
    println!(
        "\n{:>4}  {:<28} {:>6} {:>9} {:>11} {:>9} {:>9}",
        "rank", "candidate", "weight", "in flight", "latency ms", "age ms", "failures"
    );
    for candidate in explained["candidates"].as_array().into_iter().flatten() {
        let millis = |key: &str| candidate[key].as_f64().unwrap_or_default() / 1e3;
        println!(
            "{:>4}  {:<28} {:>6} {:>9} {:>11.3} {:>9.3} {:>7.2} %",
            candidate["rank"].as_u64().map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
            text(&candidate["name"]),
            // As text: a JSON value does not mind the width of a column.
            text(&candidate["weight"]),
            text(&candidate["in_flight"]),
            millis("latency_us"),
            millis("age_us"),
            candidate["failures_ppm"].as_f64().unwrap_or_default() / 1e4,
        );
    }
    Code::Done
}
