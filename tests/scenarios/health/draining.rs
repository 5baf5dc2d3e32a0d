//! A backend that is drained gets no new clients and finishes what it has.

use crate::harness::{backends, eventually, gateway, pointsman};

#[test]
fn a_command_keeps_new_requests_away_and_lets_old_ones_end() {
    let [a, b] = backends(["a", "b"]);
    let gateway =
        gateway().upstream("api", [&a, &b]).policy("{ use = \"round_robin\", start = \"first\" }").start();
    let mut held = gateway.begin_get("/held");
    a.holds(1);

    let finished = gateway.tell(&["drain", "api", &a.to_string()]);
    assert_eq!((finished.code, finished.stdout), (0, format!("{a} is being drained; in flight: 1\n")));
    assert_eq!(gateway.picks(6), vec!["b"; 6]);
    assert_eq!(gateway.backend_state("api", &a), "draining");
    a.release();
    assert_eq!(held.answer().backend(), "a");
    eventually("it is empty", || gateway.backend("api", &a, "in_flight") == 0);
}

#[test]
fn it_lasts_over_a_reload_until_it_is_taken_back() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    gateway.tell(&["drain", "api", &a.to_string()]);
    gateway.reload();
    assert_eq!(gateway.picks(4), vec!["b"; 4]);

    let finished = gateway.tell(&["undrain", "api", &a.to_string()]);
    assert_eq!(finished.stdout, format!("{a} takes requests again\n"));
    eventually("it serves", || gateway.picks(2).contains(&"a".to_owned()));
}

#[test]
fn the_configuration_can_say_so_too() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [a.entry("drain = true"), b.to_string()]).start();
    assert_eq!(gateway.picks(6), vec!["b"; 6]);

    gateway.rewrite(|text| text.replace("drain = true", "drain = false"));
    gateway.reload();
    assert!(gateway.picks(4).contains(&"a".to_owned()));
}

#[test]
fn when_all_are_drained_new_requests_are_refused_even_in_need() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    gateway.tell(&["drain", "api", &a.to_string()]);

    assert_eq!((gateway.get("/").status(), a.hits()), (502, 0));
    gateway.tell(&["undrain", "api", &a.to_string()]);
    eventually("it serves", || gateway.get("/").status() == 200);
}

#[test]
fn what_does_not_exist_is_named() {
    let [a] = backends(["a"]);
    let gateway = gateway().upstream("api", [&a]).start();
    let said = |arguments: &[&str]| {
        let finished = gateway.tell(arguments);
        assert_eq!(finished.code, 1, "{finished:?}");
        finished.stderr
    };
    assert_eq!(said(&["drain", "apu", "x"]), "there is no upstream `apu`; there are: api\n");
    assert_eq!(said(&["drain", "api", "x"]), format!("upstream `api` has no backend `x`; it has: {a}\n"));
    assert_eq!(pointsman(&["drain", "api"]).code, 2);
}
