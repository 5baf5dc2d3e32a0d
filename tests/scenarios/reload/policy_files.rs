//! Files under `policies/` are taken up without a command.

use crate::harness::{backends, eventually, gateway, guest};

#[test]
fn an_edited_policy_comes_into_force() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    assert_eq!(gateway.picks(2), ["a"; 2]);
    let version = gateway.policy("api")["version"].clone();

    gateway.write("policies/mine.wat", guest::always(1));
    eventually("the edited one picks", || gateway.get("/").backend() == "b");
    assert_ne!(gateway.policy("api")["version"], version);
}

#[test]
fn a_policy_written_in_place_comes_into_force() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();

    std::fs::write(gateway.file("policies/mine.wat"), guest::always(1)).expect("a file can be written");
    eventually("the edited one picks", || gateway.get("/").backend() == "b");
}

#[test]
fn a_file_dropped_in_replaces_a_built_in() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).start();
    assert!(gateway.picks(4).contains(&"a".to_owned()));

    gateway.write("policies/round_robin.wat", guest::always(1));
    eventually("the file picks", || gateway.picks(4) == ["b"; 4]);
    std::fs::remove_file(gateway.file("policies/round_robin.wat")).expect("it was there");
    eventually("the built-in picks again", || gateway.picks(4).contains(&"a".to_owned()));
}

#[test]
fn a_policy_that_loses_its_file_goes_on() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", guest::always(1))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();

    let before = gateway.log().len();
    std::fs::remove_file(gateway.file("policies/mine.wat")).expect("it was there");
    eventually("the gateway says so", || gateway.log()[before..].contains("mine"));
    assert_eq!(gateway.picks(4), ["b"; 4]);
}

#[test]
fn the_same_bytes_again_are_no_change() {
    let [a] = backends(["a"]);
    let gateway =
        gateway().file("policies/mine.wat", guest::always(0)).upstream("api", [&a]).policy("mine").start();
    let generation = gateway.generation();

    gateway.write("policies/mine.wat", guest::always(0));
    gateway.write("policies/other.wat", guest::always(0));
    gateway.reload();
    assert!(gateway.generation() <= generation + 1, "only the reload that was asked for");
}

#[test]
fn many_versions_leave_no_memory_behind() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();
    let turn = |index: u32| {
        gateway.write("policies/mine.wat", guest::always(index));
        let name = ["a", "b"][index as usize];
        eventually("the edited one picks", || gateway.get("/").backend() == name);
    };
    for round in 0..10 {
        turn((round + 1) % 2);
    }
    let before = gateway.memory();
    for round in 0..30 {
        turn((round + 1) % 2);
    }
    assert!(gateway.memory() < before + (8 << 10), "{before} grew to {} KiB", gateway.memory());
}
