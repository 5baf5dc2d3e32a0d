//! Too few are well: then health does not count.

use crate::harness::{backends, eventually, gateway, refusing};

const RULES: &str = "ejection = { errors = 0 }\nmax_fails = 1\nfail_timeout = \"1h\"";

#[test]
fn below_the_threshold_all_serve() {
    let (dead, [a]) = ([refusing(), refusing()], backends(["a"]));
    let list = || [dead[0].to_string(), dead[1].to_string(), a.to_string()];
    let with = |threshold: u32| {
        let rules = format!("{RULES}\npanic_threshold = {threshold}");
        gateway().upstream("api", list()).with(&rules).start()
    };
    for (threshold, panic) in [(50, true), (30, false)] {
        let gateway = with(threshold);
        gateway.picks(9);
        eventually("both are out", || {
            gateway.get("/");
            dead.iter().all(|dead| gateway.backend_state("api", dead) == "ejected")
        });
        eventually("it shows", || gateway.upstream("api")["panic"] == panic);
        let candidates = || gateway.candidates("api").len();
        eventually("the policy knows", || candidates() == if panic { 3 } else { 1 });
        assert_eq!(gateway.picks(9), vec!["a"; 9]);
    }
}

#[test]
fn when_nobody_is_well_it_is_said_and_over_when_somebody_is() {
    let mut all = backends(["a", "b"]);
    let gateway = gateway().upstream("api", &all).with(RULES).start();
    all.iter_mut().for_each(|backend| backend.stop());
    assert_eq!(gateway.get("/").status(), 502);
    gateway.says("upstream api: too few backends are well: until there are more, all serve");

    all.iter_mut().for_each(|backend| backend.restart());
    assert_eq!(gateway.get("/").status(), 200, "the first request after it is answered");
    gateway.says("upstream api: enough backends are well again");
}

#[test]
fn backups_come_before_panic() {
    let (dead, [spare]) = (refusing(), backends(["spare"]));
    let gateway =
        gateway().upstream("api", [dead.to_string(), spare.entry("backup = true")]).with(RULES).start();

    assert_eq!(gateway.picks(9), vec!["spare"; 9]);
    assert_eq!(gateway.backend("api", &dead, "connect_failed"), 1);
    assert_eq!(gateway.upstream("api")["panic"], false);
}
