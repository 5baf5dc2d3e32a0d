//! Of two random candidates the one at which one more request costs less: the mean response
//! time, which follows peaks at once and forgets them slowly, times the requests in flight.
//!
//! This is the balancer of Finagle and Linkerd, with a price on failures, which there count as
//! fast answers: a backend that fails at once would draw everybody. Each worker learns from its
//! own requests (the requests in flight are those of the whole gateway), and hands what it learnt
//! to its successor.

mod mean;

use mean::Peak;
use pointsman_policy::{
    Backend, Choice, Explain, Feedback, Known, Line, Outcome, Policy, Random, Request, Span, State, Verdict,
    export, request, stats,
};
use serde::Deserialize;

const CHOICES_MAX: u32 = 10;

/// The cost of a candidate that never answered but has requests in flight: more than any other.
const UNKNOWN: f64 = 1e18;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How long a peak is remembered.
    tau: Span,
    /// The mean of a candidate that has not answered yet.
    default_rtt: Span,
    /// What a failed attempt counts as, if it took less.
    failure_penalty: Span,
    /// How many are drawn, at most.
    choices: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tau: Span::seconds(10),
            default_rtt: Span::milliseconds(30),
            failure_penalty: Span::seconds(5),
            choices: 2,
        }
    }
}

struct PeakEwma {
    known: Known,
    line: Line,
    means: Vec<Peak>,
    tau: f64,
    penalty: f64,
    choices: u32,
    seed: u64,
    /// Whether a call has told what time it is: means begin to sink then.
    begun: bool,
    /// Who must not be drawn any more, in order; kept to save its memory.
    gone: Vec<u32>,
    /// What was compared in the last pick: candidates and their costs.
    compared: Vec<(u32, f64)>,
}

impl PeakEwma {
    fn begin(&mut self, now: u64) {
        if !self.begun {
            self.begun = true;
            self.means.iter_mut().filter(|mean| mean.at == 0).for_each(|mean| mean.at = now);
        }
    }

    fn mean(&self, index: u32, now: u64) -> f64 {
        self.means.get(index as usize).map_or(0.0, |mean| mean.read(now, self.tau))
    }

    /// What one more request costs at a candidate.
    fn cost(&self, index: u32, now: u64) -> f64 {
        let in_flight = f64::from(stats::in_flight_of(index));
        let mean = self.mean(index, now);
        if mean == 0.0 && in_flight > 0.0 {
            return UNKNOWN + in_flight;
        }
        mean * (in_flight + 1.0) / self.line.weight(index).max(1) as f64
    }

    /// The cheapest of the draws among those not tried; none if all were.
    fn best(&mut self, tried: &[u32], random: &mut Random, now: u64) -> Option<u32> {
        self.compared.clear();
        self.gone.clear();
        self.gone.extend(tried);
        self.gone.sort_unstable();
        self.gone.dedup();
        for _ in 0..self.choices {
            let Some(drawn) = self.line.draw(&self.gone, random) else { break };
            self.compared.push((drawn, self.cost(drawn, now)));
            self.gone.insert(self.gone.partition_point(|index| *index < drawn), drawn);
        }
        // The first of equals, whom the weights drew.
        let cheaper = |best: (u32, f64), other: &(u32, f64)| if other.1 < best.1 { *other } else { best };
        let (first, rest) = self.compared.split_first()?;
        Some(rest.iter().fold(*first, cheaper).0)
    }
}

impl Policy for PeakEwma {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, seed: u64) -> Result<Self, String> {
        if !(2..=CHOICES_MAX).contains(&options.choices) {
            return Err(format!("choices: expected 2 to {CHOICES_MAX}, found {}", options.choices));
        }
        if options.tau.micros() == 0 {
            return Err("tau: expected more than nothing, as \"10s\"".into());
        }
        let unknown = Peak { micros: options.default_rtt.micros() as f64, at: 0 };
        Ok(Self {
            known: Known::of(&backends),
            line: Line::new(backends.iter().map(|backend| backend.weight)),
            means: vec![unknown; backends.len()],
            tau: options.tau.micros() as f64,
            penalty: options.failure_penalty.micros() as f64,
            choices: options.choices,
            seed,
            begun: false,
            gone: Vec::new(),
            compared: Vec::new(),
        })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        self.begin(request.now);
        let mut random = Random::new(self.seed, request);
        let best = self.best(&request::tried(request), &mut random, request.now);
        best.map_or(Choice::Abstain, Choice::Backend)
    }
}

impl Feedback for PeakEwma {
    fn done(&mut self, outcome: &Outcome) {
        self.begin(outcome.now);
        let Some(mean) = self.means.get_mut(outcome.backend as usize) else { return };
        let total = f64::from(outcome.total.max(1));
        let sample = match outcome.verdict {
            Verdict::Success => total,
            // A client that gave up says how long it took at least.
            Verdict::Cancelled if total > mean.micros => total,
            Verdict::Cancelled => return,
            _ => total.max(self.penalty),
        };
        mean.learn(sample, outcome.now, self.tau);
    }
}

impl State for PeakEwma {
    fn save(&mut self) -> Vec<u8> {
        self.known.save(self.means.iter().map(|mean| [mean.micros.to_bits(), mean.at]))
    }

    fn restore(&mut self, state: Vec<u8>) {
        let means = &mut self.means;
        self.known.restore(&state, |index, [bits, at]| {
            let micros = f64::from_bits(bits);
            if micros.is_finite() && micros >= 0.0 {
                means[index] = Peak { micros, at };
            }
        });
    }
}

impl Explain for PeakEwma {
    fn explain(&mut self, request: &Request) -> String {
        let one = |(index, cost): &(u32, f64)| {
            let mean = self.mean(*index, request.now).round() as u64;
            let cost = if *cost >= UNKNOWN { "unknown".into() } else { format!("{}us", cost.round() as u64) };
            format!("{} costs {cost} (mean {mean}us)", self.known.name(*index))
        };
        self.compared.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

export!(PeakEwma, feedback, state, explain);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{assert_shares, backends, chosen, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Explain, Feedback, Outcome, Policy, Request, State, Verdict};

    use super::PeakEwma;

    fn born(options: &str, weights: &[u32]) -> PeakEwma {
        gateway(|gateway| gateway.in_flight = vec![0; weights.len()]);
        policy(options, backends(weights)).expect("options that exist")
    }

    fn ended(backend: u32, verdict: Verdict, total: u32, now: u64) -> Outcome {
        Outcome { backend, verdict, status: 200, connect: 0, first_byte: total, total, now }
    }

    fn shares(policy: &mut PeakEwma, now: u64) -> Vec<u32> {
        let mut found = vec![0; policy.means.len()];
        for random in 0..30_000 {
            found[chosen(policy.pick(&Request { now, ..request(random) })) as usize] += 1;
        }
        found
    }

    #[test]
    fn the_cheaper_of_any_pair_wins() {
        let mut policy = born("{}", &[1; 3]);
        for (backend, total) in [(0, 50_000), (1, 40_000), (2, 90_000)] {
            policy.done(&ended(backend, Verdict::Success, total, 1));
        }
        assert_shares(&shares(&mut policy, 1), &[1.0, 2.0, 0.0]);
        gateway(|gateway| gateway.in_flight = vec![0, 2, 0]);
        assert_shares(&shares(&mut policy, 1), &[2.0, 0.0, 1.0]);
    }

    #[test]
    fn equals_are_shared_by_weight() {
        let mut policy = born("{}", &[1, 2, 4]);
        for (backend, total) in [(0, 50_000), (1, 100_000), (2, 200_000)] {
            policy.done(&ended(backend, Verdict::Success, total, 1));
        }
        assert_shares(&shares(&mut policy, 1), &[1.0, 2.0, 4.0]);
    }

    #[test]
    fn failing_at_once_is_not_fast() {
        let mut policy = born("{}", &[1; 2]);
        for now in 1..100 {
            policy.done(&ended(0, Verdict::ServerError, 100, now));
            policy.done(&ended(1, Verdict::Success, 40_000, now));
        }
        assert_eq!(policy.pick(&Request { now: 100, ..request(1) }), Choice::Backend(1));
        let later = 120_000_000;
        policy.done(&ended(1, Verdict::Success, 40_000, later));
        assert_eq!(policy.pick(&Request { now: later, ..request(1) }), Choice::Backend(0), "another chance");
    }

    #[test]
    fn a_client_that_gave_up_says_how_long_it_took_at_least() {
        let mut policy = born("{}", &[1; 2]);
        policy.done(&ended(0, Verdict::Cancelled, 1_000, 5));
        assert_eq!(policy.means[0].micros.round() as u64, 30_000);
        policy.done(&ended(0, Verdict::Cancelled, 9_000_000, 6));
        assert_eq!(policy.means[0].micros.round() as u64, 9_000_000);
    }

    #[test]
    fn who_never_answered_but_is_asked_waits() {
        let mut policy = born(r#"{"default_rtt":"0"}"#, &[1; 2]);
        gateway(|gateway| gateway.in_flight = vec![1, 3]);
        policy.done(&ended(1, Verdict::Success, 500_000, 1));
        assert_eq!(policy.pick(&request(1)), Choice::Backend(1));
        assert!(policy.explain(&request(1)).contains("costs unknown"), "{}", policy.explain(&request(1)));
    }

    #[test]
    fn what_was_learnt_is_handed_over_by_name() {
        let mut old = born("{}", &[1; 3]);
        old.done(&ended(1, Verdict::Success, 700_000, 9));
        let mut new = born("{}", &[1; 2]);
        new.restore(old.save());
        new.restore(vec![1, 2, 3]);
        assert_eq!((new.means[1].micros.round() as u64, new.means[1].at), (700_000, 9));
    }

    #[test]
    fn who_was_tried_is_not_drawn() {
        let mut policy = born("{}", &[1, 1, 65535]);
        let second = chosen(retry(&mut policy, &[2]));
        assert!(second < 2);
        assert_eq!(retry(&mut policy, &[2, second]), Choice::Backend(1 - second));
        assert_eq!(retry(&mut policy, &[2, 0, 1]), Choice::Abstain);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (options, expected) in [
            (r#"{"choices":1}"#, "choices: expected 2 to 10, found 1"),
            (r#"{"tau":0}"#, "tau: expected more than nothing, as \"10s\""),
        ] {
            assert_eq!(policy::<PeakEwma>(options, backends(&[1])).err().as_deref(), Some(expected));
        }
    }
}
