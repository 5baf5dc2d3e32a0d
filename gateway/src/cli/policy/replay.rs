//! `pointsman policy simulate --recording`: recorded picks, made again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Code;
use crate::policy::Limits;
use crate::policy::recording::{Recording, Replayed};
use crate::simulate::Contestant;

/// Lets each policy make the picks of a recording again, with the statistics as they stood, and
/// shows how they agree with what was recorded. Refused when the recorded version itself does not.
///
/// # Errors
/// What is wrong with the file or a policy, and what the program ends with for it.
pub(super) fn replay(file: &Path, policies: &[Contestant], as_json: bool) -> Result<Code, (String, Code)> {
    let refused = |why: String| (format!("`{}`: {why}", file.display()), Code::Refused);
    let text = fs::read_to_string(file)
        .map_err(|error| (format!("cannot read `{}`: {error}", file.display()), Code::System))?;
    let recording = Recording::read(&text).map_err(refused)?;
    let mut results = Vec::new();
    for policy in policies {
        let replayed = recording
            .replay(&policy.policy, options(&recording, policy), Limits::default())
            .map_err(|error| refused(format!("policy `{}`: {error}", policy.label)))?;
        results.push((policy, replayed));
    }
    if as_json {
        let list: Vec<Value> = results.iter().map(|(policy, replayed)| as_value(policy, replayed)).collect();
        println!("{:#}", Value::Array(list));
    } else {
        show(&recording, &results);
    }
    let astray =
        |(policy, replayed): &(&Contestant, Replayed)| is_recorded(&recording, policy) && !replayed.is_same();
    Ok(if results.iter().any(astray) { Code::Refused } else { Code::Done })
}

/// Its own options, or those that were recorded if it has none and is the recorded policy.
fn options<'a>(recording: &'a Recording, policy: &'a Contestant) -> &'a str {
    let same = policy.policy.name() == recording.header.policy;
    if same && &*policy.options == "{}" { &recording.header.options } else { &policy.options }
}

fn is_recorded(recording: &Recording, policy: &Contestant) -> bool {
    policy.policy.version() == recording.header.version
        && options(recording, policy) == recording.header.options
}

fn show(recording: &Recording, results: &[(&Contestant, Replayed)]) {
    let header = &recording.header;
    println!(
        "{} picks of policy {} {} in upstream {}, made again\n",
        recording.picks().count(),
        header.policy,
        header.version,
        header.upstream
    );
    println!("{:<24} {:>8} {:>10} {:>9} {:>7}", "policy", "picks", "same", "imbalance", "faults");
    for (policy, replayed) in results {
        let share = 100.0 * replayed.same as f64 / replayed.picks.max(1) as f64;
        println!(
            "{:<24} {:>8} {:>8.2} % {:>9.2} {:>7}",
            policy.label,
            replayed.picks,
            share,
            imbalance(replayed),
            replayed.faults
        );
    }
    for (policy, replayed) in results.iter().filter(|(policy, _)| is_recorded(recording, policy)) {
        if let Some(first) = &replayed.first {
            println!(
                "\n{}: this is the recorded version, and yet pick {} is {} instead of {}",
                policy.label, first.pick, first.now, first.recorded
            );
        }
    }
}

/// Most choices of one backend relative to the mean.
fn imbalance(replayed: &Replayed) -> f64 {
    let chosen = replayed.chosen.iter().map(|(.., now)| *now);
    let (most, sum) = (chosen.clone().max().unwrap_or(0), chosen.sum::<u64>());
    if sum == 0 { 1.0 } else { most as f64 * replayed.chosen.len() as f64 / sum as f64 }
}

fn as_value(policy: &Contestant, replayed: &Replayed) -> Value {
    let chosen = replayed.chosen.iter();
    let backends: Vec<Value> = chosen
        .map(|(name, recorded, now)| json!({ "name": name, "recorded": recorded, "now": now }))
        .collect();
    json!({
        "policy": policy.label,
        "version": policy.policy.version(),
        "picks": replayed.picks,
        "same": replayed.same,
        "faults": replayed.faults,
        "first_difference": replayed.first.as_ref().map(|first| {
            json!({ "pick": first.pick, "recorded": first.recorded, "now": first.now })
        }),
        "backends": backends,
    })
}
