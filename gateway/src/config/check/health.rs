//! What an upstream says about the health of its backends, their load and retries.

use std::time::Duration;

use crate::config::fields::{Fields, Text};
use crate::config::keys;
use crate::config::model::{Backend, Policy};
use crate::config::nearest::did_you_mean;
use crate::config::problems::Findings;
use crate::upstream::health::{Ejection, Passive};
use crate::upstream::{QueueLimits, Retry, RetryOn};

/// Policies whose mapping follows the weights: it would change with every step of a slow start.
const BY_WEIGHT: [&str; 2] = ["hash", "ip_hash"];

/// The words of `retry_on`, nginx's, beside `http_` and a status.
const CONDITIONS: [&str; 5] = ["error", "timeout", "invalid_header", "non_idempotent", "off"];
/// The statuses that nginx knows.
const STATUSES: [u16; 7] = [403, 404, 429, 500, 502, 503, 504];

/// What a backend has of its own or of its upstream.
pub(super) struct Life {
    pub(super) passive: Passive,
    pub(super) max_conns: Option<u32>,
    pub(super) slow_start: Duration,
}

/// What the backend says, else what the upstream says.
pub(super) fn life(upstream: &Fields<'_>, backend: &Fields<'_>, findings: &mut Findings) -> Life {
    let mut number = |name| match backend.get(name) {
        Some(_) => number(backend, name, findings),
        // The upstream's own mistakes are told once, with the upstream.
        None => number(upstream, name, &mut Findings::default()),
    };
    let (max_fails, max_conns) = (number("max_fails"), number("max_conns"));
    let mut duration = |name| {
        let own = backend.written_duration(name, findings);
        own.unwrap_or_else(|| upstream.duration(name, &mut Findings::default()))
    };
    Life {
        passive: Passive { max_fails, fail_timeout: duration("fail_timeout") },
        max_conns: (max_conns > 0).then_some(max_conns),
        slow_start: duration("slow_start"),
    }
}

/// What cannot be seen in one value alone.
pub(super) fn check_together(
    fields: &Fields<'_>,
    policy: Option<&Policy>,
    backends: &[Backend],
    findings: &mut Findings,
) {
    for name in ["max_fails", "max_conns"] {
        number(fields, name, findings);
    }
    for name in ["fail_timeout", "slow_start"] {
        fields.duration(name, findings);
    }
    let by_weight = policy.filter(|policy| BY_WEIGHT.contains(&&*policy.name));
    if let (Some(policy), Some(slow)) = (by_weight, backends.iter().find(|b| !b.slow_start.is_zero())) {
        let message = format!("`slow_start` does not go with the policy `{}`", policy.name);
        let help = "leave it out: with each step of its weight clients would move to another backend";
        findings.error(slow.place, message, help);
    }
    let limited = backends.iter().any(|backend| backend.max_conns.is_some());
    if let Some(node) = fields.get("queue").filter(|_| !limited && number(fields, "queue", findings) > 0) {
        let help = "add `max_conns`, which says how many requests a backend takes at a time";
        findings.error(node.place, "nothing ever waits in this `queue`", help);
    }
}

/// A number that fits 32 bits; the table of keys sees to that.
pub(super) fn number(fields: &Fields<'_>, name: &str, findings: &mut Findings) -> u32 {
    let number = fields.number(name, findings).unwrap_or_default();
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn queue(fields: &Fields<'_>, findings: &mut Findings) -> QueueLimits {
    let timeout = fields.duration("queue_timeout", findings);
    QueueLimits { length: number(fields, "queue", findings), timeout }
}

/// 0 errors: never.
pub(super) fn ejection(upstream: &Fields<'_>, findings: &mut Findings) -> Option<Ejection> {
    let fields = upstream.table(&keys::EJECTION, "ejection", findings);
    let ejection = Ejection {
        errors: number(&fields, "errors", findings),
        first: fields.duration("first", findings),
        longest: fields.duration("longest", findings),
        share: number(&fields, "share", findings),
    };
    if ejection.longest < ejection.first {
        let place = fields.get("longest").map_or(fields.place, |node| node.place);
        let message = "`longest` is shorter than `first`";
        findings.error(place, message, "ejections grow from `first` to `longest`");
    }
    (ejection.errors > 0).then_some(ejection)
}

pub(super) fn retry(fields: &Fields<'_>, findings: &mut Findings) -> Retry {
    let timeout = fields.duration("retry_timeout", findings);
    let keep = fields.size("retry_body", findings).unwrap_or_default();
    Retry {
        on: retry_on(fields, findings),
        timeout: (!timeout.is_zero()).then_some(timeout),
        budget: number(fields, "retry_budget", findings),
        keep: usize::try_from(keep).unwrap_or(usize::MAX),
    }
}

fn retry_on(fields: &Fields<'_>, findings: &mut Findings) -> RetryOn {
    let Some(node) = fields.get("retry_on") else { return RetryOn::default() };
    let words = fields.texts("retry_on", findings);
    let (mut on, mut statuses) = (RetryOn::never(), Vec::new());
    for word in &words {
        match word.text {
            "error" => on.error = true,
            "timeout" => on.timeout = true,
            "invalid_header" => on.invalid_header = true,
            "non_idempotent" => on.non_idempotent = true,
            "off" => {}
            _ => statuses.extend(status(*word, findings)),
        }
    }
    if words.len() > 1 && words.iter().any(|word| word.text == "off") {
        findings.error(
            node.place,
            "`off` stands beside other conditions",
            "write `off` alone, or leave it out",
        );
    }
    RetryOn { statuses: statuses.into(), ..on }
}

fn status(word: Text<'_>, findings: &mut Findings) -> Option<u16> {
    let status = word.text.strip_prefix("http_").and_then(|digits| digits.parse().ok());
    if let Some(status) = status.filter(|status| STATUSES.contains(status)) {
        return Some(status);
    }
    let all: Vec<String> = STATUSES.iter().map(|status| format!("http_{status}")).collect();
    let known = CONDITIONS.iter().copied().chain(all.iter().map(String::as_str));
    let help = match did_you_mean(word.text, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write some of `{}`", known.collect::<Vec<_>>().join("`, `")),
    };
    findings.error(word.place, format!("`{}` is not a condition for a retry", word.text), help);
    None
}
