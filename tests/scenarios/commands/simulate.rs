//! `pointsman policy simulate`: policies over made-up backends.

use serde_json::Value;

use crate::harness::{Finished, gateway, guest, pointsman};

const SMALL: &str = "about = \"small\"\nrequests = 2000\n[arrivals]\nload = 0.5\n[[backend]]\nnumber = 3\n";

/// Runs it beside a scenario and a policy of ours, with more arguments.
fn simulated(scenario: &str, more: &[&str]) -> Finished {
    let plan = gateway().file("small.toml", scenario).file("policies/mine.wat", guest::always(1));
    let path = |name: &str| plan.folder().join(name).display().to_string();
    let (file, folder) = (path("small.toml"), path("policies"));
    let arguments = ["policy", "simulate", "--policies-folder", &folder, "-s", &file];
    pointsman(&[&arguments, more].concat())
}

#[test]
fn policies_stand_side_by_side() {
    let finished = simulated(SMALL, &["-p", "round_robin", "-p", "mine"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert!(lines[0].starts_with("small: small"), "{finished:?}");
    assert!(lines[3].starts_with("round_robin ") && lines[4].starts_with("mine "), "{finished:?}");
}

#[test]
fn the_same_seed_prints_the_same() {
    let run = |seed| simulated(SMALL, &["-p", "random", "--json", "--seed", seed]).stdout;
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
}

#[test]
fn json_tells_each_backends_share() {
    let finished = simulated(SMALL, &["-p", "mine", "--json"]);
    let json: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let shares: Vec<_> = json[0]["outcomes"][0]["backends"].as_array().expect("a list").iter().collect();
    assert_eq!(
        shares.iter().map(|share| share["attempts"].as_u64()).collect::<Vec<_>>(),
        [Some(0), Some(1900), Some(0)]
    );
}

#[test]
fn scenarios_ship_and_an_unknown_one_is_answered_with_their_names() {
    assert!(pointsman(&["policy", "simulate", "--list"]).stdout.contains("blackhole"));
    let finished = pointsman(&["policy", "simulate", "-s", "blackhope", "-p", "random"]);
    assert_eq!(finished.code, 3);
    assert!(finished.stderr.contains("blackhope") && finished.stderr.contains("blackhole"), "{finished:?}");
}

#[test]
fn a_mistake_in_a_scenario_is_shown_with_its_line() {
    let finished = simulated(&SMALL.replace("number", "nummer"), &["-p", "random"]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("line 6") && finished.stderr.contains("nummer"), "{finished:?}");
}
