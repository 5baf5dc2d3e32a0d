//! Clients that ask again and again while a test does something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::JoinHandle;

use super::{Gateway, Wire, eventually};

/// Keep-alive clients, each on one connection for its whole life. Anything but a 200 on that same
/// connection is a failure.
pub struct Load {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `clients` clients that GET `/`.
    pub fn on(gateway: &Gateway, clients: usize) -> Self {
        Self::asking(gateway, clients, "GET / HTTP/1.1\r\nHost: load\r\n\r\n")
    }

    /// The same, but an answer may say that it is the last on its connection.
    pub fn that_may_move_on(gateway: &Gateway, clients: usize) -> Self {
        Self::start(gateway, clients, "GET / HTTP/1.1\r\nHost: load\r\n\r\n", true)
    }

    /// Starts `clients` clients that send this request.
    pub fn asking(gateway: &Gateway, clients: usize, request: &str) -> Self {
        Self::start(gateway, clients, request, false)
    }

    fn start(gateway: &Gateway, clients: usize, request: &str, may_move_on: bool) -> Self {
        let request: Arc<str> = request.into();
        let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |_| {
            let (over, answers, address) = (over.clone(), answers.clone(), gateway.address().to_owned());
            let request = request.clone();
            std::thread::spawn(move || {
                let mut wire = Wire::to(&address);
                while !over.load(SeqCst) {
                    wire.send(&*request);
                    let answer = wire.answer();
                    assert_eq!(answer.status(), 200, "{answer:?}");
                    let closes = answer.field("connection").contains("close");
                    assert!(may_move_on || !closes, "{answer:?}");
                    if closes {
                        wire = Wire::to(&address);
                    }
                    answers.fetch_add(1, SeqCst);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { over, answers, clients }
    }

    /// Waits for `count` more answers, so that what was just changed has been met by traffic.
    #[track_caller]
    pub fn goes_on_for(&self, count: usize) {
        let goal = self.answers.load(SeqCst) + count;
        let broken = || self.clients.iter().any(JoinHandle::is_finished);
        eventually(&format!("{count} more answers"), || broken() || self.answers.load(SeqCst) >= goal);
    }

    /// Stops; the number of answers. Fails the test when any client was failed.
    #[track_caller]
    pub fn stop(self) -> usize {
        self.over.store(true, SeqCst);
        let failed = self.clients.into_iter().filter_map(|c| c.join().err()).count();
        assert_eq!(failed, 0, "clients that got no answer, a wrong one, or lost their connection");
        self.answers.load(SeqCst)
    }
}
