//! Large policies are kept compiled, so that only the first start takes the time.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Plan, backends, gateway, guest};

/// A policy that always picks the second candidate, with so much data that it counts as large.
fn large() -> String {
    let ballast = "x".repeat(300 << 10);
    guest::always(1).replace(
        "(memory (export \"memory\") 2)",
        &format!("(memory (export \"memory\") 20) (data (i32.const 131072) \"{ballast}\")"),
    )
}

fn kept(plan: &Plan) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(plan.folder().join("cache")).into_iter().flatten().flatten();
    files.map(|file| file.path()).collect()
}

fn plan() -> Plan {
    gateway().top("policy_cache = \"cache\"").file("policies/mine.wat", large())
}

#[test]
fn a_large_policy_is_compiled_once_for_all_starts() {
    let [a, b] = backends(["a", "b"]);
    let plan = plan().upstream("api", [&a, &b]).policy("mine").write();
    let path = plan.path().display().to_string();
    let check = || crate::harness::pointsman(&["check", "-c", &path]);
    assert_eq!(check().code, 0);
    let [file] = &kept(&plan)[..] else { panic!("{:?}", kept(&plan)) };
    let mode = std::fs::metadata(file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "machine code is nobody else's to write");

    let before = std::fs::read(file).expect("it is there");
    let gateway = plan.start();
    assert_eq!(gateway.picks(2), ["b"; 2]);
    assert!(!gateway.log().contains("compiling"), "{}", gateway.log());
    assert_eq!(std::fs::read(file).expect("it is there"), before);
}

#[test]
fn what_was_damaged_is_compiled_anew() {
    let [a, b] = backends(["a", "b"]);
    let plan = plan().upstream("api", [&a, &b]).policy("mine").write();
    let path = plan.path().display().to_string();
    assert_eq!(crate::harness::pointsman(&["check", "-c", &path]).code, 0);
    let file = kept(&plan).remove(0);
    let mut bytes = std::fs::read(&file).expect("it is there");
    bytes[1000] ^= 1;
    std::fs::write(&file, bytes).expect("it can be written");

    let gateway = plan.start();
    assert_eq!(gateway.picks(2), ["b"; 2]);
    gateway.says("compiling");
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    let [a, b] = backends(["a", "b"]);
    let plan = plan().upstream("api", [&a, &b]).policy("mine").write();
    let folder = plan.folder().join("cache");
    std::fs::create_dir(&folder).expect("it can be made");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("it is ours");

    let gateway = plan.start();
    assert_eq!(gateway.picks(2), ["b"; 2]);
    gateway.says("others may write");
    assert!(std::fs::read_dir(&folder).expect("it is there").next().is_none());
}

#[test]
fn small_policies_are_not_kept() {
    let [a, b] = backends(["a", "b"]);
    let plan = gateway().top("policy_cache = \"cache\"").upstream("api", [&a, &b]).policy("random").write();
    let path = plan.path().display().to_string();
    assert_eq!(crate::harness::pointsman(&["check", "-c", &path]).code, 0);
    assert!(kept(&plan).is_empty());
}
