//! Who comes back begins with a part of its share.

use crate::harness::{backends, eventually, gateway};

#[test]
fn a_backend_that_comes_back_gets_few_requests_at_first() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with("slow_start = \"1h\"").start();
    assert_eq!(
        gateway.picks(4).iter().filter(|name| *name == "b").count(),
        2,
        "nobody starts slowly at the start"
    );

    gateway.tell(&["drain", "api", &b.to_string()]);
    gateway.tell(&["undrain", "api", &b.to_string()]);
    eventually("its share is known", || gateway.candidates("api").len() == 2);
    let hits = b.hits();
    gateway.picks(60);
    assert!(b.hits() - hits <= 2, "{} of 60", b.hits() - hits);
    assert!(gateway.backend("api", &b, "risen") <= 1);
    assert_eq!(gateway.backend("api", &a, "risen"), 100);
}

#[test]
fn its_share_grows_to_the_whole() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a, &b]).with("slow_start = \"1s\"").start();
    gateway.tell(&["drain", "api", &b.to_string()]);
    gateway.tell(&["undrain", "api", &b.to_string()]);

    eventually("it has its half", || {
        gateway.backend("api", &b, "risen") == 100
            && gateway.picks(20).iter().filter(|name| *name == "b").count() == 10
    });
}

#[test]
fn who_joins_with_a_reload_starts_slowly_too() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().upstream("api", [&a]).with("slow_start = \"1h\"").start();
    gateway.rewrite(|text| text.replace(&format!("\"{a}\""), &format!("\"{a}\", \"{b}\"")));
    gateway.reload();

    gateway.picks(60);
    assert!(b.hits() <= 2, "{} of 60", b.hits());
}
