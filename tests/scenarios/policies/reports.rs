//! What backends report of themselves.

use crate::harness::{Backend, backend, eventually, gateway};

/// A backend that says how busy it is.
fn reporting(name: &'static str, report: &'static str) -> Backend {
    backend(name, move |_| {
        format!(
            "HTTP/1.1 200 OK\r\nX-Backend: {name}\r\nEndpoint-Load-Metrics: {report}\r\n\
             Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    })
}

#[test]
fn load_reports_decide_the_shares() {
    let a = reporting("a", "TEXT cpu_utilization=0.8,rps_fractional=100");
    let b = reporting("b", r#"JSON {"cpu_utilization": 0.2, "rps_fractional": 100}"#);
    let gateway = gateway()
        .upstream("api", [&a, &b])
        .policy("{ use = \"weighted_report\", blackout = 0, update = \"10ms\" }")
        .start();

    eventually("one can do four times as much", || {
        let picks = gateway.picks(50);
        picks.iter().filter(|name| *name == "b").count().abs_diff(40) <= 1
    });
}

#[test]
fn who_does_not_report_is_served_by_weight() {
    let a = reporting("a", "TEXT nonsense");
    let b = reporting("b", "BIN ????");
    let gateway = gateway()
        .upstream("api", [a.entry("weight = 3"), b.to_string()])
        .policy("{ use = \"weighted_report\", blackout = 0, update = \"10ms\" }")
        .start();

    let picks = gateway.picks(40);
    assert_eq!(picks.iter().filter(|name| *name == "a").count(), 30);
}
