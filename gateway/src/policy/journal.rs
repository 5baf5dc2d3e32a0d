//! What a policy says, on its way to the log.

use std::sync::Arc;

/// Longest message, bytes; the rest is cut.
const LONGEST: usize = 1_024;
/// Messages that one instance may write within [`WINDOW`].
const BUDGET: u32 = 10;
/// Microseconds.
const WINDOW: u64 = 1_000_000;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Where a guest prints that has an idea of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// The log of one instance: marked with its policy and upstream, and kept within bounds, because a
/// guest that writes a line for each pick must not fill the disk.
pub(super) struct Journal {
    policy: Arc<str>,
    upstream: Arc<str>,
    since: u64,
    written: u32,
    dropped: u64,
    /// What was printed and is not yet a whole line, by [`Output`].
    printed: [Vec<u8>; 2],
}

impl Journal {
    pub(super) fn new(policy: Arc<str>, upstream: Arc<str>) -> Self {
        Self { policy, upstream, since: 0, written: 0, dropped: 0, printed: Default::default() }
    }

    /// Writes a message at time `now`, unless there were too many lately.
    pub(super) fn write(&mut self, level: Level, message: &str, now: u64) {
        if now.saturating_sub(self.since) >= WINDOW {
            self.report_dropped();
            (self.since, self.written) = (now, 0);
        }
        if self.written == BUDGET {
            self.dropped += 1;
            return;
        }
        self.written += 1;
        let message = cut(message.trim_end());
        let (policy, upstream) = (&*self.policy, &*self.upstream);
        match level {
            Level::Debug => tracing::debug!(policy, upstream, "{message}"),
            Level::Info => tracing::info!(policy, upstream, "{message}"),
            Level::Warn => tracing::warn!(policy, upstream, "{message}"),
            Level::Error => tracing::error!(policy, upstream, "{message}"),
        }
    }

    /// Collects what is printed (`stderr` comes in pieces) and writes each line once it is whole.
    pub(super) fn print(&mut self, to: Output, text: &[u8], now: u64) {
        let level = if to == Output::Stderr { Level::Warn } else { Level::Info };
        let mut pieces = text.split(|byte| *byte == b'\n');
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            let mut line = std::mem::take(&mut self.printed[to as usize]);
            line.extend_from_slice(piece);
            if !line.trim_ascii().is_empty() {
                self.write(level, &String::from_utf8_lossy(&line), now);
            }
        }
        let rest = &mut self.printed[to as usize];
        let room = LONGEST.saturating_sub(rest.len());
        rest.extend_from_slice(&last[..last.len().min(room)]);
    }

    fn report_dropped(&mut self) {
        if self.dropped > 0 {
            let (policy, upstream, dropped) = (&*self.policy, &*self.upstream, self.dropped);
            tracing::warn!(policy, upstream, dropped, "the policy wrote more than ten messages a second");
            self.dropped = 0;
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.report_dropped();
    }
}

fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_ten_a_second_messages_are_counted_not_written() {
        let mut journal = Journal::new("p".into(), "u".into());
        for _ in 0..25 {
            journal.write(Level::Info, "again", 5_000_000);
        }
        assert_eq!((journal.written, journal.dropped), (10, 15));
        journal.write(Level::Info, "later", 6_000_000);
        assert_eq!((journal.written, journal.dropped), (1, 0));
    }

    #[test]
    fn what_is_printed_in_pieces_is_written_in_lines() {
        let mut journal = Journal::new("p".into(), "u".into());
        for piece in ["panicked ", "at ", "lib.rs\n\nno", "te\nand"] {
            journal.print(Output::Stderr, piece.as_bytes(), 5_000_000);
        }
        assert_eq!(journal.written, 2);
        assert_eq!(journal.printed[Output::Stderr as usize], b"and");
    }

    #[test]
    fn a_line_without_end_does_not_grow_without_end() {
        let mut journal = Journal::new("p".into(), "u".into());
        for _ in 0..100 {
            journal.print(Output::Stdout, &[b'x'; 100], 5_000_000);
        }
        assert_eq!(journal.printed[Output::Stdout as usize].len(), LONGEST);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let message = format!("a{}", "é".repeat(LONGEST));
        let cut = cut(&message);
        assert_eq!(cut.len(), LONGEST - 1);
        assert!(cut.ends_with('é'));
    }
}
