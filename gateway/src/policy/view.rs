//! What the gateway shows to one instance: the data that its imports read.

use std::sync::Arc;
use std::time::Duration;

use super::Facts;
use super::bindings::exports::pointsman::policy::policy as guest;
use super::bindings::pointsman::policy::stats::{Detail, Report};
use super::bindings::pointsman::policy::{types, upstream::Member};
use super::journal::Journal;
use super::limits::{LARGEST_U32, LARGEST_U64, Meter};
use crate::stats::{BackendStats, UpstreamStats, Verdict};
use crate::upstream::{Backend, Candidates};

/// The data of an instance's store.
pub(super) struct View {
    pub(super) candidates: Arc<Candidates>,
    /// The request being picked for; empty except while `lent`.
    pub(super) facts: Facts,
    /// Is the caller's request in `facts` now?
    pub(super) lent: bool,
    /// Is `init` running? Only then may a policy look at its upstream.
    pub(super) being_born: bool,
    /// The gateway's clock as of the call that runs.
    pub(super) now: u64,
    pub(super) meter: Meter,
    /// Processor time of the thread when the call that runs had used up its budget; none before.
    pub(super) overtime: Option<Duration>,
    pub(super) journal: Journal,
    /// State of the generator behind `wasi:random`, for guests whose toolchain wants it.
    pub(super) dice: u64,
    /// Lent to the guest as answers, one after another, so that asking never allocates.
    pub(super) numbers: Lent<Vec<u32>>,
    pub(super) bytes: Lent<Vec<u8>>,
    pub(super) text: Lent<String>,
}

/// A buffer that goes out as an answer and comes back: wasmtime drops its handle as soon as the
/// content is copied into the guest, so there is never more than one user at the next call.
#[derive(Default)]
pub(super) struct Lent<T>(Option<Arc<T>>);

impl<T: Default + Clone> Lent<T> {
    /// Fills the buffer, whatever was in it, and lends it out.
    pub(super) fn fill(&mut self, fill: impl FnOnce(&mut T)) -> Arc<T> {
        let buffer = self.0.get_or_insert_default();
        fill(Arc::make_mut(buffer));
        Arc::clone(buffer)
    }

    /// Takes the buffer away while something else of the view is borrowed.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }
}

impl View {
    /// One statistic of all candidates.
    pub(super) fn column(
        &mut self,
        read: impl Fn(&BackendStats, &UpstreamStats, u64) -> u32,
    ) -> Arc<Vec<u32>> {
        let (candidates, now) = (&self.candidates, self.now);
        self.numbers.fill(|column| {
            let all = candidates.counters.iter();
            column.clear();
            column.extend(all.map(|backend| read(backend, &candidates.stats, now).min(LARGEST_U32)));
        })
    }

    /// One statistic of one candidate; 0 when there is no such candidate.
    pub(super) fn scalar(&self, index: u32, read: impl Fn(&BackendStats, &UpstreamStats, u64) -> u32) -> u32 {
        let backend = self.candidates.counters.get(index as usize);
        backend.map_or(0, |b| read(b, &self.candidates.stats, self.now).min(LARGEST_U32))
    }

    /// Attempts in flight over all candidates.
    pub(super) fn in_flight_total(&self) -> u32 {
        let each = self.candidates.counters.iter().map(|b| u64::from(b.in_flight()));
        u32::try_from(each.sum::<u64>()).map_or(LARGEST_U32, |sum| sum.min(LARGEST_U32))
    }

    /// Everything else about one candidate; all zero when there is none of this index.
    pub(super) fn detail(&self, index: u32) -> Detail {
        let backend = self.candidates.counters.get(index as usize);
        backend.map_or_else(no_detail, |backend| detail(backend))
    }

    /// What one candidate last reported of itself.
    pub(super) fn report(&self, index: u32) -> Option<Report> {
        let report = self.candidates.counters.get(index as usize)?.report()?;
        Some(Report {
            load: report.load.min(LARGEST_U32),
            requests: report.requests.min(LARGEST_U32),
            errors: report.errors.min(LARGEST_U32),
            at: report.at.min(LARGEST_U64),
        })
    }

    /// All backends of the tier, while the instance is being born.
    pub(super) fn members(&self) -> Vec<Member> {
        let members = if self.being_born { &*self.candidates.members } else { &[] };
        let member = |m: &crate::upstream::Member| Member {
            backend: described(&m.backend, m.backend.weight),
            candidate: m.candidate,
        };
        members.iter().map(member).collect()
    }

    /// Next bits of the generator behind `wasi:random` (splitmix64).
    pub(super) fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A backend in the words of the WIT, with the weight that it has now.
pub(super) fn described(backend: &Backend, weight: u32) -> guest::Backend {
    guest::Backend {
        name: backend.name.to_string(),
        weight: weight.clamp(1, 65_535),
        zone: backend.zone.as_deref().map(str::to_owned),
        labels: backend.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

fn detail(stats: &BackendStats) -> Detail {
    let total = |failure: bool| {
        let counted = Verdict::ALL.iter().filter(|v| v.is_failure() == failure && **v != Verdict::Cancelled);
        counted.map(|v| stats.total(*v)).sum::<u64>().min(LARGEST_U64)
    };
    Detail {
        successes: total(false),
        failures: total(true),
        failures_in_a_row: stats.failures_in_a_row().min(LARGEST_U32),
        connect: stats.connect().unwrap_or(0).min(LARGEST_U32),
        first_byte: stats.first_byte().unwrap_or(0).min(LARGEST_U32),
        last_used: stats.last_used().min(LARGEST_U64),
        known_since: stats.known_since().min(LARGEST_U64),
    }
}

fn no_detail() -> Detail {
    Detail {
        successes: 0,
        failures: 0,
        failures_in_a_row: 0,
        connect: 0,
        first_byte: 0,
        last_used: 0,
        known_since: 0,
    }
}

/// A verdict in the words of the WIT.
pub(super) fn worded(verdict: Verdict) -> types::Verdict {
    match verdict {
        Verdict::Success => types::Verdict::Success,
        Verdict::ServerError => types::Verdict::ServerError,
        Verdict::ConnectFailed => types::Verdict::ConnectFailed,
        Verdict::TimedOut => types::Verdict::TimedOut,
        Verdict::Broken => types::Verdict::Broken,
        Verdict::Cancelled => types::Verdict::Cancelled,
    }
}
