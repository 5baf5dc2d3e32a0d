//! Metrics of the policies that stand beside the one that serves.

use std::fmt;

use super::{Families, MICRO, NANO, SECONDS, flag};
use crate::admin::{CanarySnapshot, UpstreamSnapshot};

/// What shadows have shown.
pub(super) fn shadows(upstreams: &[UpstreamSnapshot], families: &mut Families) -> fmt::Result {
    let all =
        || {
            upstreams.iter().flat_map(|upstream| {
                upstream.policy.shadows.iter().map(move |shadow| {
                    (vec![("upstream", &*upstream.name), ("policy", &*shadow.policy)], shadow)
                })
            })
        };
    families.counter(
        "shadow_picks",
        "Picks that a shadow was asked for",
        all().map(|(l, s)| (l, s.picks)),
    )?;
    let agreed = all().map(|(labels, shadow)| (labels, shadow.agreed));
    families.counter("shadow_agreed", "Picks in which it named whom the gateway chose", agreed)?;
    families.counter("shadow_faults", "Faults of a shadow", all().map(|(l, s)| (l, s.faults)))?;
    let pick = all().map(|(labels, shadow)| (labels, shadow.pick_ns as f64 * NANO));
    families.gauge("shadow_pick", "Mean time of a shadow's pick", SECONDS, pick)?;
    let imbalance = all().map(|(labels, shadow)| (labels, shadow.imbalance));
    families.gauge(
        "shadow_imbalance",
        "Largest share it would give, relative to the weight",
        None,
        imbalance,
    )?;
    let chosen = all().flat_map(|(labels, shadow)| {
        shadow.chosen.iter().map(move |(backend, count)| {
            let mut labels = labels.clone();
            labels.push(("backend", backend));
            (labels, *count)
        })
    });
    families.counter("shadow_chosen", "How often it would have chosen a backend", chosen)
}

/// What canaries have shown.
pub(super) fn canaries(upstreams: &[UpstreamSnapshot], families: &mut Families) -> fmt::Result {
    let all = || {
        upstreams.iter().filter_map(|upstream| {
            let canary = upstream.policy.canary.as_ref()?;
            Some((vec![("upstream", &*upstream.name), ("policy", &*canary.policy)], canary))
        })
    };
    let states = all().flat_map(|(labels, canary)| {
        CanarySnapshot::STATES.map(|state| {
            let mut labels = labels.clone();
            labels.push(("state", state));
            (labels, flag(state == canary.state))
        })
    });
    families.gauge("canary_state", "1 for the state that the canary is in", None, states)?;
    let share = all().map(|(labels, canary)| (labels, canary.share));
    families.gauge("canary_share_ratio", "Share of the requests that it decides for", None, share)?;
    let arms = || {
        all().flat_map(|(labels, canary)| {
            [("canary", canary.canary), ("main", canary.main)].map(|(arm, counts)| {
                let mut labels = labels.clone();
                labels.push(("arm", arm));
                (labels, counts)
            })
        })
    };
    families.counter(
        "canary_attempts",
        "Attempts, by who chose",
        arms().map(|(l, arm)| (l, arm.attempts)),
    )?;
    families.counter(
        "canary_failures",
        "Failed attempts, by who chose",
        arms().map(|(l, arm)| (l, arm.failures)),
    )?;
    let mean = arms().map(|(labels, arm)| (labels, arm.mean_us * MICRO));
    families.gauge("canary_latency", "Mean response time, by who chose", SECONDS, mean)
}
