//! `pointsman check`: all problems at once, each with its place.

use crate::harness::{Finished, Plan, gateway, pointsman};

fn checked(plan: Plan) -> Finished {
    let plan = plan.write();
    pointsman(&["check", "-c", &plan.path().display().to_string()])
}

#[test]
fn a_good_configuration_is_good() {
    let finished = checked(gateway().upstream("api", ["127.0.0.1:1"]));
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn all_problems_are_reported_with_their_places() {
    let plan = gateway()
        .section("[limits]\nidle_timeot = \"1s\"\nmax_head = \"lots\"")
        .route("path = \"/\"\nupstream = \"apo\"")
        .upstream("api", ["127.0.0.1:99999"])
        .policy("least_con");
    let finished = checked(plan);

    assert_eq!(finished.code, 1, "{finished:?}");
    for words in
        ["idle_timeot", "idle_timeout", "lots", "apo", "99999", "least_con", "least_conn", "pointsman.toml"]
    {
        assert!(finished.stderr.contains(words), "no {words:?} in:\n{}", finished.stderr);
    }
}

#[test]
fn check_opens_no_listener() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let finished = checked(gateway().listen(&address).upstream("api", ["127.0.0.1:1"]));
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn a_missing_file_is_named() {
    let finished = pointsman(&["check", "-c", "/nowhere/pointsman.toml"]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("/nowhere/pointsman.toml"), "{finished:?}");
}

#[test]
fn run_refuses_what_check_refuses() {
    let plan = gateway().upstream("api", ["127.0.0.1:1"]).policy("least_con").write();
    let finished = pointsman(&["run", "-c", &plan.path().display().to_string()]);
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(finished.stderr.contains("least_con"), "{finished:?}");
}

#[test]
fn run_says_which_address_it_cannot_have() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let plan = gateway().listen(&address).upstream("api", ["127.0.0.1:1"]).write();
    let finished = pointsman(&["run", "-c", &plan.path().display().to_string()]);
    assert_ne!(finished.code, 0);
    assert!(finished.stderr.contains(&address), "{finished:?}");
}

#[test]
fn version_and_help_are_there() {
    let version = pointsman(&["--version"]);
    assert_eq!(
        (version.code, version.stdout.as_str()),
        (0, concat!("pointsman ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    let help = pointsman(&["--help"]);
    assert_eq!(help.code, 0);
    for command in ["run", "check", "reload", "stop", "quit", "policy"] {
        assert!(help.stdout.contains(command), "no {command} in:\n{}", help.stdout);
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let finished = pointsman(&["relaod"]);
    assert_eq!(finished.code, 2);
    assert!(finished.stderr.contains("reload"), "did you mean: {finished:?}");
}
