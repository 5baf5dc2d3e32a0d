//! How an attempt ended.

/// The end of an attempt, in the words of the WIT (`types.verdict`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whole answer, status below 500.
    Success,
    /// Whole answer, status of 500 or above.
    ServerError,
    /// No connection could be made.
    ConnectFailed,
    /// A send or read timeout ran out.
    TimedOut,
    /// The connection broke or the answer was not HTTP.
    Broken,
    /// The client went away first.
    Cancelled,
}

impl Verdict {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::ServerError,
        Self::ConnectFailed,
        Self::TimedOut,
        Self::Broken,
        Self::Cancelled,
    ];

    /// Does it speak against the backend?
    #[must_use]
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::Cancelled)
    }

    /// Its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ServerError => "server_error",
            Self::ConnectFailed => "connect_failed",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One ended attempt: what statistics learn and what `feedback.done` tells. Times in
/// microseconds, 0 where the attempt did not get that far.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Status code of the answer; 0 when there was none.
    pub status: u16,
    /// Time to connect; 0 on a reused connection.
    pub connect: u32,
    /// Pick to head of the answer.
    pub first_byte: u32,
    /// Pick to end of the answer.
    pub total: u32,
    /// When it ended, on the gateway's clock.
    pub now: u64,
}
