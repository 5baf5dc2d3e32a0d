//! The thread behind an access log: the only one that writes to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::output::Output;

/// The shortest time between two reports about lost lines.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What the writer is asked to do.
pub(super) enum Message {
    /// Write these lines.
    Lines(Batch),
    /// Look at [`Loss::reopen`].
    Wake,
    /// Say when everything before this is written.
    Barrier(Sender<()>),
}

/// Whole lines.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
}

/// What workers and writer share besides the channels.
pub(super) struct Shared {
    /// Lines that were never written.
    pub(super) dropped: AtomicU64,
    /// Reopen before the next write. Not a message: it must arrive when the channel is full.
    pub(super) reopen: AtomicBool,
    alarm: Sender<()>,
}

/// Where reports go: the gateway's own log, except in tests.
pub(super) type Tell = Arc<dyn Fn(&str) + Send + Sync>;

impl Shared {
    /// Also starts the thread that reports losses. It is a thread of its own because neither a
    /// worker nor a writer that is blocked can wait for the gateway's log, which may well be the
    /// other end of the same full pipe.
    pub(super) fn new(target: String, tell: Tell) -> io::Result<Arc<Self>> {
        let (alarm, alarms) = crossbeam_channel::bounded(1);
        let shared = Arc::new(Self { dropped: AtomicU64::new(0), reopen: AtomicBool::new(false), alarm });
        let counted = Arc::downgrade(&shared);
        let report = move || {
            let mut reported = 0;
            for () in alarms {
                let Some(shared) = counted.upgrade() else { return };
                let dropped = shared.dropped.load(Relaxed);
                drop(shared);
                if dropped > reported {
                    tell(&format!(
                        "access log {target}: {} lines were lost, it cannot keep up",
                        dropped - reported
                    ));
                }
                reported = dropped;
                thread::sleep(REPORT_EVERY);
            }
        };
        thread::Builder::new().name("access-log-loss".into()).spawn(report)?;
        Ok(shared)
    }

    /// Counts lines that are lost, without waiting for anybody.
    pub(super) fn lose(&self, lines: u64) {
        self.dropped.fetch_add(lines, Relaxed);
        // If it is full, a report is due anyway.
        let _ = self.alarm.try_send(());
    }
}

/// Writes until nobody is left who could send lines.
pub(super) struct Writer {
    pub(super) output: Output,
    pub(super) shared: Arc<Shared>,
    /// Where emptied buffers go, to be filled again.
    pub(super) empty: Sender<Vec<u8>>,
    pub(super) tell: Tell,
    /// The last write failed, and that was told.
    pub(super) failing: bool,
    /// The last line was cut by a failure.
    pub(super) torn: bool,
}

impl Writer {
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        for message in messages {
            if self.shared.reopen.swap(false, Relaxed) {
                self.reopen();
            }
            match message {
                Message::Lines(batch) => self.write(batch),
                Message::Wake => {}
                Message::Barrier(reached) => drop(reached),
            }
        }
    }

    fn reopen(&mut self) {
        match self.output.reopen() {
            Ok(()) => self.torn = false,
            Err(error) => (self.tell)(&format!("{error}; the old file stays in use")),
        }
    }

    fn write(&mut self, mut batch: Batch) {
        if self.torn && self.output.write_all(b"\n").is_ok() {
            self.torn = false;
        }
        match self.output.write_all(&batch.bytes) {
            Ok(()) if self.failing => {
                self.failing = false;
                (self.tell)(&format!("access log {}: works again", self.output.target));
            }
            Ok(()) => {}
            Err((written, error)) => self.fail(&batch, written, &error),
        }
        batch.bytes.clear();
        // Full only if a burst made more buffers than are kept.
        let _ = self.empty.try_send(batch.bytes);
    }

    fn fail(&mut self, batch: &Batch, written: usize, error: &io::Error) {
        let whole = memchr::memchr_iter(b'\n', &batch.bytes[..written]).count() as u64;
        self.torn |= written > 0 && batch.bytes[written - 1] != b'\n';
        if !self.failing {
            self.failing = true;
            (self.tell)(&format!(
                "access log {}: {error}; lines are lost until it works again",
                self.output.target
            ));
        }
        self.shared.lose(batch.lines.saturating_sub(whole).max(1));
    }
}
