//! A machine that has no time to spare is no fault of a policy: deadlines are for policies that
//! compute too long, not for workers that had to wait for a processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use crate::harness::{Load, backends, gateway, guest};

/// Threads that compute for as long as this lives, several for each processor.
struct Crowd {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let count = 6 * std::thread::available_parallelism().map_or(2, usize::from);
        let spin = |_| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || while !over.load(Relaxed) {})
        };
        let threads = (0..count).map(spin).collect();
        Self { over, threads }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().expect("spinning does not fail"));
    }
}

#[test]
fn a_good_policy_keeps_its_place() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway().top("workers = 2").upstream("api", [&a, &b]).start();
    let load = Load::on(&gateway, 4);

    let crowd = Crowd::begin();
    load.goes_on_for(400);
    drop(crowd);
    load.stop();
    assert_eq!(gateway.faults("api", "deadline"), 0);
    assert_eq!(gateway.policy("api")["state"], "serving");
}

#[test]
fn a_good_policy_passes_its_trial() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .file("policies/mine.wat", guest::always(0))
        .upstream("api", [&a, &b])
        .policy("mine")
        .start();

    let _crowd = Crowd::begin();
    for _ in 0..5 {
        gateway.reload();
    }
    assert_eq!(gateway.get("/").status(), 200);
}
