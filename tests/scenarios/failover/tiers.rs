//! `backup` backends serve when nobody else can; `down` ones never.

use crate::harness::{backends, counts, gateway, pointsman};

#[test]
fn a_backup_waits_for_its_time() {
    let [mut a, spare] = backends(["a", "spare"]);
    let gateway = gateway().upstream("api", [a.to_string(), spare.entry("backup = true")]).start();
    assert_eq!(gateway.picks(6), vec!["a"; 6]);

    a.stop();
    let answer = gateway.get("/");
    assert!(matches!(answer.status(), 200 | 502), "{answer:?}");
    assert!(answer.status() == 502 || answer.backend() == "spare");
}

#[test]
fn a_backup_serves_when_all_others_are_down() {
    let [a, spare] = backends(["a", "spare"]);
    let gateway = gateway().upstream("api", [a.entry("down = true"), spare.entry("backup = true")]).start();

    assert_eq!(gateway.picks(4), vec!["spare"; 4]);
}

#[test]
fn nobody_who_is_down_is_asked() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let gateway = gateway().upstream("api", [a.to_string(), b.entry("down = true"), c.to_string()]).start();

    let picks = gateway.picks(10);
    assert_eq!(counts(picks.iter().map(String::as_str)), [("a", 5), ("c", 5)]);
}

#[test]
fn an_upstream_whose_backends_are_all_down_is_refused_by_name() {
    let plan = gateway().upstream("api", ["{ address = \"127.0.0.1:1\", down = true }"]).write();
    let finished = pointsman(&["check", "-c", &plan.path().display().to_string()]);

    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(finished.stderr.contains("all backends of this upstream are down"), "{finished:?}");
}
