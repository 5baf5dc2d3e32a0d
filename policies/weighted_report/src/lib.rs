//! In proportion to what each backend says it can do: requests per second, divided by how much
//! of its capacity they take, failures counted as use of capacity.
//!
//! Backends report both in the response header `endpoint-load-metrics` (ORCA). This is gRPC's
//! `weighted_round_robin` (proposals A58 and A114) and Envoy's `client_side_weighted_round_robin`:
//! the same formula, delays and turns. Who has not reported for long enough, or not lately, counts
//! as the mean of the others. While hardly anybody reports, the configured weights count.

mod stride;

use pointsman_policy::stats::Report;
use pointsman_policy::{
    Backend, Choice, Known, Policy, Request, Span, State, Timer, export, log, request, stats,
};
use serde::Deserialize;
use stride::Stride;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How long a backend must have reported before its reports count.
    blackout: Span,
    /// After how long a report does not count any more.
    expiry: Span,
    /// How often the weights are worked out.
    update: Span,
    /// How much capacity an error counts as having taken.
    error_penalty: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            blackout: Span::seconds(10),
            expiry: Span::seconds(180),
            update: Span::seconds(1),
            error_penalty: 1.0,
        }
    }
}

struct WeightedReport {
    options: Options,
    known: Known,
    configured: Vec<f64>,
    /// Since when each has reported without a break; 0: it does not.
    since: Vec<u64>,
    turns: Stride,
}

/// What a backend can do, in requests a second at full use; none if the report does not say.
fn capacity(report: &Report, error_penalty: f64) -> Option<f64> {
    let (requests, errors) = (f64::from(report.requests) / 1e3, f64::from(report.errors) / 1e3);
    let load = f64::from(report.load) / 1e6;
    if requests == 0.0 || load == 0.0 {
        return None;
    }
    Some(requests / (load + error_penalty * errors / requests))
}

impl WeightedReport {
    /// The weight of a candidate by its last report; 0 while that does not count.
    fn weight(&mut self, index: usize, now: u64) -> f64 {
        let since = &mut self.since[index];
        let report = stats::report_of(index as u32);
        let fresh = report.filter(|report| now.saturating_sub(report.at) < self.options.expiry.micros());
        let said = fresh.and_then(|report| Some((report.at, capacity(&report, self.options.error_penalty)?)));
        let Some((at, weight)) = said else {
            *since = 0;
            return 0.0;
        };
        if *since == 0 {
            *since = at.max(1);
        }
        if now.saturating_sub(*since) < self.options.blackout.micros() { 0.0 } else { weight }
    }

    /// Works out all weights anew.
    fn update(&mut self, now: u64) {
        let weights: Vec<f64> = (0..self.configured.len()).map(|index| self.weight(index, now)).collect();
        let known = weights.iter().filter(|weight| **weight > 0.0).count();
        let weights = if known < 2 { &self.configured } else { &weights };
        self.turns = Stride::new(weights, self.turns.sequence());
    }
}

impl Policy for WeightedReport {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        if !(options.error_penalty >= 0.0 && options.error_penalty.is_finite()) {
            return Err("error_penalty: expected 0 or more, as 1.0".into());
        }
        if !(10_000..=3_600_000_000).contains(&options.update.micros()) {
            return Err("update: expected 10ms to 1h, as \"1s\"".into());
        }
        let configured: Vec<f64> = backends.iter().map(|backend| f64::from(backend.weight)).collect();
        // Not all instances begin with the same backend.
        let turns = Stride::new(&configured, seed % (backends.len().max(1) as u64 * 65_536));
        Ok(Self { options, known: Known::of(&backends), since: vec![0; backends.len()], configured, turns })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let tried = request::tried(request);
        let fit = |index| tried.is_empty() || !tried.contains(&index);
        self.turns.next(fit).map_or(Choice::Abstain, Choice::Backend)
    }
}

impl Timer for WeightedReport {
    fn period(&self) -> u32 {
        (self.options.update.micros() / 1_000) as u32
    }

    fn tick(&mut self, now: u64) {
        let silent = self.since.iter().all(|since| *since == 0);
        self.update(now);
        if silent && self.since.iter().any(|since| *since != 0) {
            log::info("backends report their load: from now on it may decide");
        }
    }
}

impl State for WeightedReport {
    fn save(&mut self) -> Vec<u8> {
        self.known.save(self.since.iter().map(|since| [*since]))
    }

    fn restore(&mut self, state: Vec<u8>) {
        let since = &mut self.since;
        self.known.restore(&state, |index, [at]| since[index] = at);
    }
}

export!(WeightedReport, timer, state);

#[cfg(test)]
mod tests {
    use pointsman_policy::stats::Report;
    use pointsman_policy::testing::{backends, chosen, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Policy, State, Timer};

    use super::{WeightedReport, capacity};

    const SECOND: u64 = 1_000_000;

    fn born(options: &str, weights: &[u32]) -> WeightedReport {
        policy(options, backends(weights)).expect("options that exist")
    }

    /// So many requests a second at this share of the capacity.
    fn report(requests: u32, load: f64, at: u64) -> Option<Report> {
        Some(Report { load: (load * 1e6) as u32, requests: requests * 1_000, errors: 0, at })
    }

    fn reports(all: &[Option<Report>]) {
        gateway(|gateway| gateway.reports = all.to_vec());
    }

    /// How often each is picked out of a thousand, to the nearest ten.
    fn shares(policy: &mut WeightedReport) -> Vec<u32> {
        let mut found = vec![0; policy.configured.len()];
        for _ in 0..10_000 {
            found[chosen(policy.pick(&request(0))) as usize] += 1;
        }
        found.into_iter().map(|count: u32| (count + 50) / 100 * 10).collect()
    }

    #[test]
    fn the_weight_is_that_of_grpc() {
        let report = Report { load: 500_000, requests: 100_000, errors: 20_000, at: 1 };
        assert_eq!(capacity(&report, 0.0), Some(200.0));
        assert_eq!(capacity(&report, 1.5), Some(125.0), "100 / (0.5 + 1.5 x 20 / 100)");
        assert_eq!(capacity(&Report { requests: 0, ..report }, 1.0), None);
        assert_eq!(capacity(&Report { load: 0, ..report }, 1.0), None);
    }

    #[test]
    fn shares_follow_what_backends_can_do() {
        let mut policy = born(r#"{"blackout":0}"#, &[1; 3]);
        reports(&[report(100, 0.5, SECOND), report(100, 0.25, SECOND), report(50, 0.5, SECOND)]);
        policy.tick(SECOND);
        assert_eq!(shares(&mut policy), [290, 570, 140], "200 : 400 : 100");
    }

    #[test]
    fn until_somebody_reports_the_configured_weights_count() {
        let mut policy = born("{}", &[1, 3]);
        assert_eq!(shares(&mut policy), [250, 750]);
        reports(&[None, report(1, 0.5, SECOND)]);
        policy.tick(60 * SECOND);
        assert_eq!(shares(&mut policy), [250, 750]);
    }

    #[test]
    fn a_report_counts_after_the_blackout_and_until_it_expires() {
        let mut policy = born("{}", &[1, 1]);
        reports(&[report(100, 0.5, SECOND), report(300, 0.5, SECOND)]);
        policy.tick(SECOND);
        policy.tick(10 * SECOND);
        assert_eq!(shares(&mut policy), [500, 500], "in the blackout");
        policy.tick(12 * SECOND);
        assert_eq!(shares(&mut policy), [250, 750]);
        policy.tick(182 * SECOND);
        assert_eq!(shares(&mut policy), [500, 500], "expired");
    }

    #[test]
    fn who_is_silent_counts_as_the_mean() {
        let mut policy = born(r#"{"blackout":0}"#, &[1; 3]);
        reports(&[report(100, 0.5, SECOND), None, report(300, 0.5, SECOND)]);
        policy.tick(2 * SECOND);
        assert_eq!(shares(&mut policy), [170, 330, 500]);
    }

    #[test]
    fn a_successor_needs_no_new_blackout() {
        let mut old = born("{}", &[1, 1]);
        reports(&[report(100, 0.5, SECOND), report(300, 0.5, SECOND)]);
        old.tick(SECOND);
        let mut new = born("{}", &[1, 1]);
        new.restore(old.save());
        new.tick(12 * SECOND);
        assert_eq!(shares(&mut new), [250, 750]);
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        let mut policy = born("{}", &[1, 65535, 1]);
        assert_eq!(retry(&mut policy, &[1, 0]), Choice::Backend(2));
        assert_eq!(retry(&mut policy, &[0, 1, 2]), Choice::Abstain);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (options, expected) in [
            (r#"{"update":"1ms"}"#, "update: expected 10ms to 1h, as \"1s\""),
            (r#"{"error_penalty":-1}"#, "error_penalty: expected 0 or more, as 1.0"),
        ] {
            assert_eq!(policy::<WeightedReport>(options, backends(&[1])).err().as_deref(), Some(expected));
        }
    }
}
