//! The control socket: state and metrics.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{backends, gateway};

#[test]
fn the_state_tells_what_was_counted() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    gateway.picks(6);

    let state = gateway.state();
    assert_eq!(state["upstreams"].as_array().map(Vec::len), Some(1), "{state:#}");
    for backend in [&a, &b] {
        assert_eq!(gateway.backend("api", backend, "success"), 3);
        assert_eq!(gateway.backend("api", backend, "in_flight"), 0);
        assert!(gateway.backend("api", backend, "latency_us") > 0);
    }
}

#[test]
fn a_held_request_is_in_flight() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let _held = [gateway.begin_get("/held"), gateway.begin_get("/held")];
    a.holds(2);

    assert_eq!(gateway.backend("api", &a, "in_flight"), 2);
}

#[test]
fn metrics_are_text_for_prometheus() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.picks(3);

    let metrics = gateway.control("GET", "/metrics").text();
    let about_a: Vec<_> = metrics.lines().filter(|line| line.contains(&a.to_string())).collect();
    assert!(about_a.iter().any(|line| line.ends_with(" 3")), "{about_a:#?}");
    assert!(metrics.contains("# TYPE ") && metrics.contains("# HELP "), "{metrics}");
    assert!(
        metrics
            .lines()
            .all(|line| line.is_empty() || line.starts_with('#') || line.starts_with("pointsman_")),
        "{metrics}"
    );
}

#[test]
fn what_it_does_not_know_is_404_and_what_it_must_not_do_405() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();

    assert_eq!(gateway.control("GET", "/nonsense").status(), 404);
    assert_eq!(gateway.control("GET", "/stop").status(), 405, "looking must not stop anything");
    assert_eq!(gateway.get("/").status(), 200);
}

#[test]
fn the_socket_is_for_its_owner_only() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let mode = std::fs::metadata(gateway.file("pointsman.sock")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_control_socket_left_behind_is_no_obstacle() {
    let [a] = backends(["a"]);
    let plan = gateway();
    drop(std::os::unix::net::UnixListener::bind(plan.folder().join("pointsman.sock")).expect("a free path"));
    let gateway = plan.upstream("api", [&a]).start();
    assert!(gateway.generation() > 0);
}
