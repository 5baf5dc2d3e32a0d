//! The access log: one line a request, written off the request path.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::output::Output;
use super::writer::{Batch, Message, Shared, Tell, Writer};
use super::{Format, Target};
use crate::template::{Values, Variable};

/// How often a worker should [`Lines::flush`], so that a quiet gateway's log is not late.
pub const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// A buffer of this many bytes is handed over.
const FULL: usize = 64 * 1024;
/// Room beyond that for the line that fills it.
const ROOM: usize = FULL + 4 * 1024;
/// Buffers that may wait for the writer; beyond that lines are lost. At most 16 MiB.
const WAITING: usize = 256;

/// An open access log. Clones are handles to the same log; it is written to the end and closed
/// when the last handle and the last [`Lines`] are gone.
#[derive(Clone)]
pub struct AccessLog {
    format: Arc<Format>,
    shared: Arc<Shared>,
    full: Sender<Message>,
    empty: Receiver<Vec<u8>>,
}

impl AccessLog {
    /// Opens the log and starts its writer.
    ///
    /// # Errors
    /// The target cannot be opened (the text names it), or no thread can be started.
    pub fn open(target: &Target, format: Format) -> io::Result<Self> {
        let tell: Tell = Arc::new(|text: &str| tracing::warn!("{text}"));
        Self::start(Output::open(target)?, format, WAITING, tell)
    }

    fn start(output: Output, format: Format, waiting: usize, tell: Tell) -> io::Result<Self> {
        let shared = Shared::new(output.target.to_string(), Arc::clone(&tell))?;
        let (full, messages) = crossbeam_channel::bounded(waiting);
        let (emptied, empty) = crossbeam_channel::bounded(waiting);
        let writer =
            Writer { output, shared: Arc::clone(&shared), empty: emptied, tell, failing: false, torn: false };
        thread::Builder::new().name("access-log".into()).spawn(move || writer.run(&messages))?;
        Ok(Self { format: Arc::new(format), shared, full, empty })
    }

    /// The writing end for one worker.
    #[must_use]
    pub fn worker(&self) -> Lines {
        Lines { log: self.clone(), buffer: Vec::with_capacity(ROOM), lines: 0 }
    }

    /// Does a line show this variable?
    #[must_use]
    pub fn uses(&self, variable: &Variable) -> bool {
        self.format.uses(variable)
    }

    /// Does a line show fields of the answer, or their size? Only then need they be kept.
    #[must_use]
    pub fn shows_answer_headers(&self) -> bool {
        let of_answer = |variable: &Variable| {
            matches!(variable, Variable::SentHeader(_) | Variable::UpstreamHeader(_) | Variable::BytesSent)
        };
        self.format.uses_any(of_answer)
    }

    /// Opens the file again by its name, before the next line is written. Does not wait. When it
    /// cannot be opened the old one stays in use, and the gateway's log says so.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Relaxed);
        // When the channel is full the writer comes by soon enough without being woken.
        let _ = self.full.try_send(Message::Wake);
    }

    /// Waits until everything that was handed over so far is written. False if that took longer
    /// than `patience`. Workers flush first.
    #[must_use]
    pub fn finish(&self, patience: Duration) -> bool {
        let (reached, barrier) = crossbeam_channel::bounded(0);
        if self.full.send_timeout(Message::Barrier(reached), patience).is_err() {
            return false;
        }
        // The writer drops its end, unless time runs out first.
        matches!(barrier.recv_timeout(patience), Err(error) if error.is_disconnected())
    }

    /// Lines lost since the log was opened: the writer could not keep up, or writing failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }
}

/// The lines of one worker: a buffer that nobody else touches.
pub struct Lines {
    log: AccessLog,
    buffer: Vec<u8>,
    lines: u64,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    /// Renders a line. Costs no lock and, once buffers have made their first round, no
    /// allocation.
    pub fn write(&mut self, values: &(impl Values + ?Sized)) {
        self.log.format.line(values, &mut self.buffer);
        self.lines += 1;
        if self.buffer.len() >= FULL {
            self.hand_over();
            self.lose_what_is_left();
        }
    }

    /// Hands over what is there. When the writer is busy it stays, and is handed over later.
    pub fn flush(&mut self) {
        if self.lines > 0 {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let batch = Batch { bytes: std::mem::take(&mut self.buffer), lines: self.lines };
        match self.log.full.try_send(Message::Lines(batch)) {
            Ok(()) => {
                self.lines = 0;
                let empty = self.log.empty.try_recv().ok();
                self.buffer = empty.unwrap_or_else(|| Vec::with_capacity(ROOM));
            }
            Err(
                TrySendError::Full(Message::Lines(batch)) | TrySendError::Disconnected(Message::Lines(batch)),
            ) => {
                self.buffer = batch.bytes;
            }
            Err(_) => {}
        }
    }

    fn lose_what_is_left(&mut self) {
        if self.lines > 0 {
            self.log.shared.lose(self.lines);
            self.lines = 0;
            self.buffer.clear();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
        self.lose_what_is_left();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;
    use crate::template::{Escape, Template};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// The value of every variable is this text.
    struct Says(&'static str);

    impl Values for Says {
        fn write(&self, _: &Variable, out: &mut Vec<u8>) {
            out.extend_from_slice(self.0.as_bytes());
        }
    }

    fn format() -> Format {
        Format::text(Template::parse("$request $status").unwrap(), Escape::Text)
    }

    /// A log into a file, and what it told.
    fn log_to(path: &Path) -> (AccessLog, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let output = Output::open(&Target::File(path.into())).unwrap();
        let tell: Tell = Arc::new(move |text| ear.lock().unwrap().push(text.to_owned()));
        (AccessLog::start(output, format(), WAITING, tell).unwrap(), told)
    }

    #[test]
    fn lines_of_all_workers_arrive_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let (log, _) = log_to(&path);
        let workers: Vec<_> = ["one", "two"].map(|name| (log.worker(), name)).into();
        thread::scope(|scope| {
            for (mut lines, name) in workers {
                scope.spawn(move || (0..20_000).for_each(|_| lines.write(&Says(name))));
            }
        });
        assert!(log.finish(PATIENCE));
        let written = fs::read_to_string(path).unwrap();
        let count = |line| written.lines().filter(|written| *written == line).count();
        assert_eq!((count("one one"), count("two two"), written.lines().count()), (20_000, 20_000, 40_000));
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn a_single_line_arrives_with_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let (log, _) = log_to(&path);
        let mut lines = log.worker();
        lines.write(&Says("a\nb"));
        assert!(log.finish(PATIENCE));
        assert_eq!(fs::read_to_string(&path).unwrap(), "", "it waits in the worker's buffer");
        lines.flush();
        assert!(log.finish(PATIENCE));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\\x0Ab a\\x0Ab\n");
    }

    #[test]
    fn a_renamed_file_keeps_what_was_written_and_a_new_one_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let (log, _) = log_to(&path);
        let mut lines = log.worker();
        lines.write(&Says("old"));
        lines.flush();
        assert!(log.finish(PATIENCE));
        fs::rename(&path, &rotated).unwrap();
        log.reopen();
        lines.write(&Says("new"));
        lines.flush();
        assert!(log.finish(PATIENCE));
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!((read(rotated), read(path)), ("old old\n".into(), "new new\n".into()));
    }

    #[test]
    fn a_writer_that_is_blocked_costs_lines_but_never_blocks_a_worker() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let (heard, reports) = crossbeam_channel::unbounded();
        let tell: Tell = Arc::new(move |text| heard.send(text.to_owned()).unwrap());
        let log = AccessLog::start(Output::pipe(pipe), format(), 2, tell).unwrap();
        let mut lines = log.worker();
        let mut sent = 0;
        // Nobody reads: the pipe fills, then the channel, then lines are lost.
        while log.dropped() == 0 {
            lines.write(&Says("0123456789"));
            sent += 1;
        }
        let report = reports.recv_timeout(PATIENCE).unwrap();
        assert!(report.contains("lines were lost, it cannot keep up"), "{report}");

        let reading = thread::spawn(move || {
            let mut written = String::new();
            reader.read_to_string(&mut written).map(|_| written)
        });
        let barrier = log.clone();
        drop(lines);
        assert!(barrier.finish(PATIENCE));
        let dropped = barrier.dropped();
        drop((log, barrier));
        let written = reading.join().unwrap().unwrap();
        assert!(written.lines().all(|line| line == "0123456789 0123456789"));
        assert_eq!(written.lines().count() as u64 + dropped, sent, "every line is either written or counted");
    }

    #[test]
    fn a_full_disk_is_told_once_survived_and_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let (log, told) = log_to(&path);
        let mut lines = log.worker();
        for _ in 0..3 {
            lines.write(&Says("lost"));
            lines.flush();
        }
        assert!(log.finish(PATIENCE));
        assert_eq!(log.dropped(), 3);
        let failures = told.lock().unwrap().iter().filter(|text| text.contains("No space left")).count();
        assert_eq!(failures, 1);

        fs::remove_file(&path).unwrap();
        log.reopen();
        lines.write(&Says("kept"));
        lines.flush();
        assert!(log.finish(PATIENCE));
        assert_eq!(fs::read_to_string(path).unwrap(), "kept kept\n");
        assert!(told.lock().unwrap().iter().any(|text| text.ends_with("works again")));
    }

    #[test]
    fn buffers_go_round_instead_of_being_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = log_to(&folder.path().join("access.log"));
        let mut lines = log.worker();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50 {
            seen.insert(lines.buffer.as_ptr());
            lines.write(&Says("x"));
            lines.flush();
            assert!(log.finish(PATIENCE));
        }
        assert!(seen.len() <= 3, "{} buffers", seen.len());
    }

    #[test]
    fn a_log_that_cannot_be_opened_says_which() {
        let error = AccessLog::open(&Target::from("/nowhere/access.log"), Format::json()).err().unwrap();
        assert!(error.to_string().contains("`/nowhere/access.log`"));
    }
}
