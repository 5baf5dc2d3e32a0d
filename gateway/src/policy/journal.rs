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

/// The log of one instance: marked with its policy and upstream, and kept within bounds, because a
/// guest that writes a line for each pick must not fill the disk.
pub(super) struct Journal {
    policy: Arc<str>,
    upstream: Arc<str>,
    since: u64,
    written: u32,
    dropped: u64,
}

impl Journal {
    pub(super) fn new(policy: Arc<str>, upstream: Arc<str>) -> Self {
        Self { policy, upstream, since: 0, written: 0, dropped: 0 }
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
    fn a_long_message_is_cut_between_characters() {
        let message = format!("a{}", "é".repeat(LONGEST));
        let cut = cut(&message);
        assert_eq!(cut.len(), LONGEST - 1);
        assert!(cut.ends_with('é'));
    }
}
