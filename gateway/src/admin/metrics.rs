//! A [`Snapshot`] as Prometheus reads it (OpenMetrics text, version 1.0.0).
//!
//! Nothing is counted here: a scrape takes a snapshot and writes it down. `docs/metrics.md` lists
//! the same metrics for people; a test compares the two.

mod understudies;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::{
    BackendSnapshot, CertificateSnapshot, LimitSnapshot, ListenerSnapshot, PolicyState, Snapshot,
    UpstreamSnapshot,
};
use crate::upstream::health::State;

/// Content type of what [`render`] makes.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const MICRO: f64 = 1e-6;
const NANO: f64 = 1e-9;

/// Writes all metrics.
pub(super) fn render(snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("pointsman");
    registry.register_collector(Box::new(Scrape(snapshot)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape(Snapshot);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut families = Families(encoder);
        gateway(&self.0, &mut families)?;
        handshakes(&self.0.listeners, &mut families)?;
        certificates(&self.0, &mut families)?;
        policies(&self.0.upstreams, &mut families)?;
        understudies::shadows(&self.0.upstreams, &mut families)?;
        understudies::canaries(&self.0.upstreams, &mut families)?;
        upstreams(&self.0.upstreams, &mut families)?;
        backends(&self.0.upstreams, &mut families)
    }
}

fn gateway(now: &Snapshot, families: &mut Families) -> fmt::Result {
    families.info("build", "The program", [vec![("version", now.version)]])?;
    families.gauge("start_time", "When the gateway started, since 1970", SECONDS, one(now.started as f64))?;
    families.gauge("generation", "Number of the generation in force", None, one(now.generation as f64))?;
    families.gauge("draining", "1 when it takes no new connections", None, one(flag(now.draining)))?;
    families.gauge("workers", "Worker threads", None, one(now.workers as f64))?;
    let connections = &now.connections;
    families.gauge("connections", "Open connections of clients", None, one(connections.open as f64))?;
    families.counter("connections_accepted", "Accepted connections of clients", one(connections.accepted))?;
    let classes = now.requests.classes();
    let classes = classes.iter().map(|(class, count)| (vec![("class", *class)], *count));
    families.counter("requests", "Requests answered, by class of status", classes)?;
    let dropped = now.access_log_lines_dropped;
    families.counter("access_log_lines_dropped", "Lines that the access log lost", one(dropped))?;
    limits(&now.limits, families)
}

fn limits(limits: &[LimitSnapshot], families: &mut Families) -> fmt::Result {
    let each = |count: fn(&LimitSnapshot) -> u64| {
        limits.iter().map(move |limit| (vec![("limit", &*limit.name)], count(limit)))
    };
    families.counter("limit_delayed", "Requests that a limit made wait", each(|limit| limit.delayed))?;
    families.counter("limit_refused", "Requests that a limit refused", each(|limit| limit.refused))
}

fn handshakes(listeners: &[ListenerSnapshot], families: &mut Families) -> fmt::Result {
    let counts = listeners.iter().flat_map(|listener| {
        let handshakes = listener.tls.iter().flat_map(|tls| &tls.handshakes);
        handshakes
            .map(|(result, count)| (vec![("listener", &*listener.address), ("result", *result)], *count))
    });
    families.counter("tls_handshakes", "Handshakes of TLS with clients, by what became of them", counts)
}

fn certificates(now: &Snapshot, families: &mut Families) -> fmt::Result {
    let mut gauge = |name, help, unit, value: fn(&CertificateSnapshot) -> f64| {
        let of_listeners = now.listeners.iter().flat_map(|listener| {
            let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
            certificates.map(|certificate| ("listener", &*listener.address, certificate))
        });
        let of_upstreams = now
            .upstreams
            .iter()
            .filter_map(|upstream| Some(("upstream", &*upstream.name, upstream.certificate.as_ref()?)));
        let samples = of_listeners.chain(of_upstreams).map(|(kind, owner, certificate)| {
            let name = certificate.names.first().map_or("", String::as_str);
            let labels = vec![(kind, owner), ("name", name), ("serial", &*certificate.serial)];
            (labels, value(certificate))
        });
        families.gauge(name, help, unit, samples)
    };
    let end = |certificate: &CertificateSnapshot| certificate.not_after as f64;
    gauge("certificate_not_after", "When a certificate expires, since 1970", SECONDS, end)?;
    let problem = |certificate: &CertificateSnapshot| flag(certificate.problem.is_some());
    gauge("certificate_problem", "1 when the changed file of a certificate was not taken up", None, problem)
}

fn policies(upstreams: &[UpstreamSnapshot], families: &mut Families) -> fmt::Result {
    let versions = upstreams.iter().map(|upstream| {
        let policy = &upstream.policy;
        vec![("upstream", &*upstream.name), ("policy", &*policy.name), ("version", &*policy.version)]
    });
    families.info("policy", "Which policy serves an upstream", versions)?;
    let states = upstreams.iter().flat_map(|upstream| {
        PolicyState::ALL.map(|state| {
            let labels = vec![("upstream", &*upstream.name), ("state", state.name())];
            (labels, flag(state == upstream.policy.state))
        })
    });
    families.gauge("policy_state", "1 for the state that the policy is in", None, states)?;
    let faults = upstreams.iter().flat_map(|upstream| {
        let faults = upstream.policy.faults.iter();
        faults.map(|(kind, count)| (vec![("upstream", &*upstream.name), ("kind", *kind)], *count))
    });
    families.counter("policy_faults", "Faults of the policy, by kind", faults)?;
    let pick = |upstream: &UpstreamSnapshot| upstream.policy.pick_ns as f64 * NANO;
    families.gauge("policy_pick", "Mean time of a pick", SECONDS, each(upstreams, pick))?;

    let mut counter = |name, help, count: fn(&UpstreamSnapshot) -> u64| {
        families.counter(name, help, each(upstreams, count))
    };
    counter("policy_picks", "Calls of pick", |upstream| upstream.policy.picks)?;
    counter("policy_re_picks", "Picks that were repeated", |upstream| upstream.policy.re_picks)?;
    counter("policy_fallbacks", "Choices made by the fallback", |upstream| upstream.policy.fallbacks)?;
    counter("policy_abstained", "Picks without an opinion", |upstream| upstream.policy.abstained)?;
    counter("policy_rejected", "Picks that refused the request", |upstream| upstream.policy.rejected)
}

fn upstreams(upstreams: &[UpstreamSnapshot], families: &mut Families) -> fmt::Result {
    let mut gauge = |name, help, value: fn(&UpstreamSnapshot) -> f64| {
        families.gauge(name, help, None, each(upstreams, value))
    };
    gauge("upstream_panic", "1 while health does not count", |upstream| flag(upstream.panic))?;
    let waiting = |upstream: &UpstreamSnapshot| f64::from(upstream.queue.waiting);
    gauge("upstream_queue_waiting", "Requests that wait for a backend with room", waiting)?;
    let sessions = |upstream: &UpstreamSnapshot| upstream.sessions as f64;
    gauge("upstream_sessions", "Sessions that were learnt", sessions)?;
    let mut counter = |name, help, count: fn(&UpstreamSnapshot) -> u64| {
        families.counter(name, help, each(upstreams, count))
    };
    counter("upstream_queued", "Requests that had to wait", |upstream| upstream.queue.entered)?;
    counter("upstream_queue_refused", "Requests that found the queue full", |upstream| {
        upstream.queue.refused
    })?;
    counter("upstream_queue_expired", "Requests that waited in vain", |upstream| upstream.queue.expired)?;
    counter("upstream_retries", "Requests that went on to another attempt", |upstream| upstream.retries)?;
    let denied = |upstream: &UpstreamSnapshot| upstream.retries_denied;
    counter("upstream_retries_denied", "Retries that the budget did not allow", denied)
}

fn backends(upstreams: &[UpstreamSnapshot], families: &mut Families) -> fmt::Result {
    let mut gauge = |name, help, unit, value: fn(&BackendSnapshot) -> f64| {
        let samples = all(upstreams).map(|(labels, backend)| (labels, value(backend)));
        families.gauge(name, help, unit, samples)
    };
    gauge("backend_weight", "Relative capacity, as configured", None, |backend| f64::from(backend.weight))?;
    let risen = |backend: &BackendSnapshot| f64::from(backend.risen) / 100.0;
    gauge("backend_risen_ratio", "Part of its weight that it has now", None, risen)?;
    gauge("backend_backup", "1 for a backup", None, |backend| flag(backend.backup))?;
    gauge("backend_down", "1 when configured as out of service", None, |backend| flag(backend.down))?;
    gauge("backend_candidate", "1 when it may be chosen", None, |backend| flag(backend.candidate))?;
    gauge("backend_in_flight", "Attempts begun and not ended", None, |backend| f64::from(backend.in_flight))?;
    let latency = |backend: &BackendSnapshot| f64::from(backend.latency_us) * MICRO;
    gauge("backend_latency", "Decayed mean response time", SECONDS, latency)?;
    let age = |backend: &BackendSnapshot| f64::from(backend.age_us) * MICRO;
    gauge("backend_age", "Mean age of what is in flight", SECONDS, age)?;
    let failures = |backend: &BackendSnapshot| f64::from(backend.failures_ppm) * MICRO;
    gauge("backend_failures_ratio", "Decayed share of failed attempts", None, failures)?;

    let begun = all(upstreams).map(|(labels, backend)| (labels, backend.attempts));
    families.counter("backend_attempts", "Attempts begun", begun)?;
    let ended = all(upstreams).flat_map(|(labels, backend)| {
        backend.verdicts.iter().map(move |(verdict, count)| {
            let mut labels = labels.clone();
            labels.push(("verdict", *verdict));
            (labels, *count)
        })
    });
    families.counter("backend_verdicts", "Attempts ended, by how they ended", ended)?;
    let states = all(upstreams).flat_map(|(labels, backend)| {
        State::ALL.map(|state| {
            let mut labels = labels.clone();
            labels.push(("state", state.name()));
            (labels, flag(state.name() == backend.state))
        })
    });
    families.gauge("backend_state", "1 for the state that it is in", None, states)?;
    let mut counter = |name, help, count: fn(&BackendSnapshot) -> u64| {
        families.counter(name, help, all(upstreams).map(|(labels, backend)| (labels, count(backend))))
    };
    counter("backend_ejections", "Times it was ejected", |backend| backend.ejections)?;
    counter("backend_returns", "Times it came back after an ejection", |backend| backend.returns)?;
    counter("backend_checks_passed", "Active checks that it passed", |backend| backend.checks_passed)?;
    counter("backend_checks_failed", "Active checks that it failed", |backend| backend.checks_failed)
}

/// Name and value of each label.
type Labels<'a> = Vec<(&'static str, &'a str)>;

static SECOND: Unit = Unit::Seconds;
const SECONDS: Option<&Unit> = Some(&SECOND);

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// The only sample of a metric without labels.
fn one<'a, T>(value: T) -> [(Labels<'a>, T); 1] {
    [(Vec::new(), value)]
}

/// One sample for each upstream.
fn each<T>(
    upstreams: &[UpstreamSnapshot],
    value: impl Fn(&UpstreamSnapshot) -> T,
) -> impl Iterator<Item = (Labels<'_>, T)> {
    upstreams.iter().map(move |upstream| (vec![("upstream", &*upstream.name)], value(upstream)))
}

/// All backends with their labels.
fn all(upstreams: &[UpstreamSnapshot]) -> impl Iterator<Item = (Labels<'_>, &BackendSnapshot)> {
    upstreams.iter().flat_map(|upstream| {
        upstream
            .backends
            .iter()
            .map(move |backend| (vec![("upstream", &*upstream.name), ("backend", &*backend.name)], backend))
    })
}

/// Writes families of metrics: a head, then a sample for each set of labels. Names stand without
/// the prefix and without what the type and the unit add at the end.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn gauge<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in samples {
            if labels.is_empty() {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn counter<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            if labels.is_empty() {
                family.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
            } else {
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
            }
        }
        Ok(())
    }

    fn info<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Labels<'l>>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Info)?;
        samples.into_iter().try_for_each(|labels| family.encode_info(&labels))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::admin::{PolicySnapshot, Requests, TlsSnapshot};

    fn sample() -> Snapshot {
        let backend = BackendSnapshot {
            name: "10.0.0.7:8001".into(),
            in_flight: 2,
            latency_us: 1_500,
            verdicts: BTreeMap::from([("success", 7)]),
            ..BackendSnapshot::default()
        };
        let policy = PolicySnapshot {
            name: "fair".into(),
            version: "1f2e".into(),
            state: PolicyState::Quarantined,
            picks: 9,
            pick_ns: 250,
            faults: BTreeMap::from([("trap", 3)]),
            ..PolicySnapshot::default()
        };
        let certificate = CertificateSnapshot {
            names: vec!["a.example".into()],
            serial: "2a".into(),
            not_after: 1_893_456_000,
            ..CertificateSnapshot::default()
        };
        let tls =
            TlsSnapshot { certificates: vec![certificate], handshakes: BTreeMap::from([("resumed", 5)]) };
        Snapshot {
            version: "0.1.0",
            generation: 4,
            requests: Requests { success: 7, ..Requests::default() },
            listeners: vec![ListenerSnapshot { address: "[::]:443".into(), tls: Some(tls) }],
            upstreams: vec![UpstreamSnapshot {
                name: "a\"b".into(),
                policy,
                backends: vec![backend],
                ..UpstreamSnapshot::default()
            }],
            ..Snapshot::default()
        }
    }

    #[test]
    fn numbers_stand_in_base_units_with_their_labels() {
        let text = render(sample()).unwrap();
        for line in [
            "pointsman_build_info{version=\"0.1.0\"} 1",
            "pointsman_requests_total{class=\"2xx\"} 7",
            "pointsman_tls_handshakes_total{listener=\"[::]:443\",result=\"resumed\"} 5",
            "pointsman_certificate_not_after_seconds{listener=\"[::]:443\",name=\"a.example\",serial=\"2a\"} 1893456000.0",
            "pointsman_certificate_problem{listener=\"[::]:443\",name=\"a.example\",serial=\"2a\"} 0.0",
            "pointsman_policy_picks_total{upstream=\"a\\\"b\"} 9",
            "pointsman_policy_faults_total{upstream=\"a\\\"b\",kind=\"trap\"} 3",
            "pointsman_policy_state{upstream=\"a\\\"b\",state=\"quarantined\"} 1.0",
            "pointsman_policy_state{upstream=\"a\\\"b\",state=\"serving\"} 0.0",
            "pointsman_backend_latency_seconds{upstream=\"a\\\"b\",backend=\"10.0.0.7:8001\"} 0.0015",
            "pointsman_backend_verdicts_total{upstream=\"a\\\"b\",backend=\"10.0.0.7:8001\",verdict=\"success\"} 7",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\nis not in\n{text}");
        }
        let pick = text.lines().find(|line| line.starts_with("pointsman_policy_pick_seconds{")).unwrap();
        let seconds: f64 = pick.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((seconds - 250e-9).abs() < 1e-12, "{pick}");
    }

    #[test]
    fn the_text_ends_as_openmetrics_demands_and_each_family_stands_once() {
        let text = render(sample()).unwrap();
        assert!(text.ends_with("\n# EOF\n"));
        let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        assert_eq!(types.iter().collect::<BTreeSet<_>>().len(), types.len());
    }

    #[test]
    fn the_page_in_docs_names_the_same_metrics() {
        let text = render(sample()).unwrap();
        let written: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .map(|family| match family.split_once(' ').unwrap() {
                (name, "counter") => format!("{name}_total"),
                (name, "info") => format!("{name}_info"),
                (name, _) => name.to_owned(),
            })
            .collect();
        let page = include_str!("../../../docs/metrics.md");
        let documented: BTreeSet<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name.to_owned())
            .collect();
        assert_eq!(documented, written);
    }
}
