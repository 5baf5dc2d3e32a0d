//! The candidate with the least response time for what it has in flight, after nginx's `least_time`
//! (`src/http/modules/ngx_http_upstream_least_time_module.c`, open source since 1.31.0).
//!
//! The mean moves by a twentieth with each answer; above 5 s all are equally slow. A candidate that
//! was not used for a while is forgiven: its mean is halved again and again. With `inflight` the
//! time that running requests have taken so far counts too: a stalled backend shows before it
//! answers. Each worker learns from its own requests and hands what it learnt to its successor.
//!
//! Three things differ from nginx. It counts in milliseconds, whose rounding leaves a mean up to
//! 10 ms off for ever; here it is microseconds. It rounds times up to the next 20 ms to hide that,
//! so that of equals with a mean about that some count as twice as slow; here the class is an
//! option, and 1 ms unless set. And where nginx takes a failing server out (`max_fails`), the share
//! of failures makes a candidate slower.

use pointsman_policy::{
    Backend, Choice, Feedback, Known, Outcome, Policy, Request, Smooth, Span, State, Verdict, export,
    request, stats,
};
use serde::Deserialize;

/// Above so many microseconds all are equally slow.
const SLOWEST: u32 = 5_000_000;
/// How much slower a backend counts that always fails, less one.
const FAILURE_COST: f64 = 20.0;
/// nginx's `fail_timeout`, seconds: who was not used for longer is forgiven.
const FORGIVEN_AFTER: u64 = 10;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum By {
    /// Time to the head of the answer.
    Header,
    /// Time to its end.
    LastByte,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Which time counts.
    by: By,
    /// Whether requests that still run count with the time they have taken so far.
    inflight: bool,
    /// Response times are told apart in classes of this length; nginx has 20 ms.
    class: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self { by: By::LastByte, inflight: false, class: Span::milliseconds(1) }
    }
}

/// What is known of one candidate. Means in microseconds, 0 without samples; time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Peer {
    mean: u32,
    running: u32,
    checked: u64,
}

/// One step of nginx's mean: a twentieth towards the sample, rounded.
fn step(mean: u32, sample: u32) -> u32 {
    if mean == 0 { sample } else { (0.5 + 0.05 * f64::from(sample) + 0.95 * f64::from(mean)) as u32 }
}

impl Peer {
    /// The response time that it is judged by, in microseconds, rounded up to a class.
    fn time(&self, now: u64, class: u32) -> u32 {
        let unused = now.saturating_sub(self.checked);
        let halvings = if unused > FORGIVEN_AFTER { unused / (FORGIVEN_AFTER + 1) } else { 0 };
        let mean = self.mean.checked_shr(halvings.min(32) as u32).unwrap_or(0);
        let time = mean.max(self.running);
        if time > SLOWEST { SLOWEST } else { time + class - time % class }
    }
}

struct LeastTime {
    by: By,
    inflight: bool,
    /// In microseconds.
    class: u32,
    known: Known,
    weights: Vec<u32>,
    peers: Vec<Peer>,
    /// Whose turn it is among equals.
    turns: Smooth,
    /// The equals of a pick; kept to save its memory.
    equals: Vec<u32>,
}

impl LeastTime {
    /// Takes in how long the requests have taken that run now.
    fn look_at_running(&mut self, in_flight: &[u32]) {
        let ages = stats::age();
        for ((peer, age), in_flight) in self.peers.iter_mut().zip(ages).zip(in_flight) {
            peer.running = if *in_flight > 0 { step(peer.running, age) } else { 0 };
        }
    }

    /// The choice among those not tried; `penalty` says by what a wait is multiplied.
    fn least(
        &mut self,
        in_flight: &[u32],
        tried: &[u32],
        now: u64,
        penalty: impl Fn(usize) -> f64,
    ) -> Option<u32> {
        self.equals.clear();
        let mut least = f64::INFINITY;
        let candidates = in_flight.iter().zip(&self.weights).zip(&self.peers);
        for (index, ((in_flight, weight), peer)) in candidates.enumerate() {
            if !tried.is_empty() && tried.contains(&(index as u32)) {
                continue;
            }
            // Equal fractions are equal as floats too: both are rounded from the same number.
            let time = f64::from(peer.time(now, self.class));
            let wait = time * (f64::from(*in_flight) + 1.0) / f64::from(*weight) * penalty(index);
            if wait < least {
                self.equals.clear();
                least = wait;
            }
            if wait <= least {
                self.equals.push(index as u32);
            }
        }
        self.turns.step_among(&self.equals)
    }
}

impl Policy for LeastTime {
    type Options = Options;

    fn new(options: Options, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
        let class = options.class.micros();
        if !(1_000..=1_000_000).contains(&class) {
            return Err("class: expected 1ms to 1s, as \"20ms\"".into());
        }
        let weights: Vec<u32> = backends.iter().map(|backend| backend.weight).collect();
        Ok(Self {
            by: options.by,
            inflight: options.inflight,
            class: class as u32,
            known: Known::of(&backends),
            peers: vec![Peer::default(); backends.len()],
            turns: Smooth::new(weights.iter().copied()),
            weights,
            equals: Vec::new(),
        })
    }

    fn pick(&mut self, request: &Request) -> Choice {
        let in_flight = stats::in_flight();
        if self.inflight {
            self.look_at_running(&in_flight);
        }
        let now = request.now / 1_000_000;
        let tried = request::tried(request);
        let mut best = self.least(&in_flight, &tried, now, |_| 1.0);
        // A penalty only makes a wait longer: without one the best is the best.
        if best.is_some_and(|best| stats::failures_of(best) > 0) {
            let failures = stats::failures();
            let share = |index: usize| failures.get(index).map_or(0.0, |ppm| f64::from(*ppm) * 1e-6);
            best = self.least(&in_flight, &tried, now, |index| 1.0 + FAILURE_COST * share(index));
        }
        let Some(index) = best else {
            return Choice::Abstain;
        };
        let peer = &mut self.peers[index as usize];
        if now.saturating_sub(peer.checked) > FORGIVEN_AFTER {
            peer.checked = now;
        }
        Choice::Backend(index)
    }
}

impl Feedback for LeastTime {
    fn done(&mut self, outcome: &Outcome) {
        let Some(peer) = self.peers.get_mut(outcome.backend as usize) else { return };
        match outcome.verdict {
            Verdict::Success => {
                let time = if self.by == By::Header { outcome.first_byte } else { outcome.total };
                peer.mean = step(peer.mean, time);
            }
            Verdict::Cancelled => {}
            _ => peer.checked = outcome.now / 1_000_000,
        }
    }
}

impl State for LeastTime {
    fn save(&mut self) -> Vec<u8> {
        self.known.save(self.peers.iter().map(|peer| [u64::from(peer.mean), peer.checked]))
    }

    fn restore(&mut self, state: Vec<u8>) {
        let peers = &mut self.peers;
        self.known.restore(&state, |index, [mean, checked]| {
            peers[index] = Peer { mean: u32::try_from(mean).unwrap_or(0), running: 0, checked };
        });
    }
}

export!(LeastTime, feedback, state);

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{backends, chosen, gateway, policy, request, retry};
    use pointsman_policy::{Choice, Feedback, Outcome, Policy, Request, State, Verdict};

    use super::{LeastTime, Peer, step};

    const SECOND: u64 = 1_000_000;

    fn born(options: &str, weights: &[u32]) -> LeastTime {
        gateway(|gateway| gateway.in_flight = vec![0; weights.len()]);
        policy(options, backends(weights)).expect("options that exist")
    }

    fn ended(backend: u32, verdict: Verdict, first_byte: u32, total: u32) -> Outcome {
        Outcome { backend, verdict, status: 200, connect: 0, first_byte, total, now: SECOND }
    }

    #[test]
    fn the_mean_moves_as_in_nginx() {
        let mut mean = 0;
        for (sample, expected) in [(100, 100), (200, 105), (0, 100), (100, 100), (101, 100), (5_000, 345)] {
            mean = step(mean, sample);
            assert_eq!(mean, expected, "after {sample}");
        }
    }

    #[test]
    fn times_fall_into_classes() {
        let time =
            |ms: u32, class: u32| Peer { mean: ms * 1_000, ..Peer::default() }.time(0, class * 1_000) / 1_000;
        for (ms, expected) in [(0, 20), (19, 20), (20, 40), (4_999, 5_000), (5_000, 5_020), (5_001, 5_000)] {
            assert_eq!(time(ms, 20), expected, "{ms}");
        }
        assert_eq!(time(7, 1), 8);
    }

    #[test]
    fn who_was_not_used_is_forgiven() {
        let peer = Peer { mean: 800_000, running: 0, checked: 100 };
        for (now, expected) in [(100, 820), (110, 820), (111, 420), (121, 420), (122, 220), (99_999, 20)] {
            assert_eq!(peer.time(now, 20_000) / 1_000, expected, "at {now} s");
        }
    }

    #[test]
    fn the_least_time_for_what_is_in_flight_is_picked() {
        for (weights, means, in_flight, expected) in [
            (&[1, 1][..], [100, 30], [0, 0], 1),
            (&[1, 1], [100, 30], [0, 3], 0),
            (&[4, 1], [100, 30], [0, 0], 0),
            (&[1, 65535], [4_000, 4_000], [2_147_483_647, 2_147_483_647], 1),
        ] {
            let mut policy = born("{}", weights);
            for (backend, mean) in (0..).zip(means) {
                policy.done(&ended(backend, Verdict::Success, 0, mean * 1_000));
            }
            gateway(|gateway| gateway.in_flight = in_flight.to_vec());
            let choice = policy.pick(&request(0));
            assert_eq!(choice, Choice::Backend(expected), "{weights:?} {means:?} {in_flight:?}");
        }
    }

    #[test]
    fn equals_take_turns_by_weight() {
        let mut policy = born("{}", &[1, 1]);
        let turns: Vec<u32> = (0..4).map(|_| chosen(policy.pick(&request(0)))).collect();
        assert_eq!(turns, [0, 1, 0, 1]);
    }

    #[test]
    fn header_and_last_byte_are_different_times() {
        for (options, expected) in [(r#"{"by":"header"}"#, 0), (r#"{"by":"last_byte"}"#, 1)] {
            let mut policy = born(options, &[1, 1]);
            policy.done(&ended(0, Verdict::Success, 10_000, 900_000));
            policy.done(&ended(1, Verdict::Success, 100_000, 200_000));
            assert_eq!(policy.pick(&request(0)), Choice::Backend(expected), "{options}");
        }
    }

    #[test]
    fn with_inflight_a_stall_shows_before_the_answer() {
        for (options, expected) in [("{}", 0), (r#"{"inflight":true}"#, 1)] {
            let mut policy = born(options, &[3, 1]);
            gateway(|gateway| {
                gateway.in_flight = vec![1, 1];
                gateway.age = vec![2_000_000, 10_000];
            });
            assert_eq!(policy.pick(&request(0)), Choice::Backend(expected), "{options}");
        }
    }

    #[test]
    fn failing_at_once_is_not_fast() {
        let mut policy = born("{}", &[1, 1]);
        policy.done(&ended(0, Verdict::Success, 10_000, 10_000));
        policy.done(&ended(1, Verdict::Success, 100_000, 100_000));
        policy.done(&ended(0, Verdict::Cancelled, 10, 10));
        policy.done(&ended(0, Verdict::ServerError, 10, 10));
        assert_eq!(policy.peers[0], Peer { mean: 10_000, running: 0, checked: 1 });
        for (failures, expected) in [(400_000, 0), (500_000, 1)] {
            gateway(|gateway| gateway.failures = vec![failures, 0]);
            assert_eq!(policy.pick(&request(0)), Choice::Backend(expected), "{failures}");
        }
    }

    #[test]
    fn a_class_that_is_none_is_refused() {
        let refusal = policy::<LeastTime>(r#"{"class":"2s"}"#, backends(&[1])).err();
        assert_eq!(refusal.as_deref(), Some("class: expected 1ms to 1s, as \"20ms\""));
    }

    #[test]
    fn what_was_learnt_is_handed_over() {
        let mut old = born("{}", &[1, 1, 1]);
        old.done(&ended(1, Verdict::Success, 0, 700_000));
        let _ = old.pick(&Request { now: 90 * SECOND, ..request(0) });
        let mut new = born("{}", &[1, 1]);
        new.restore(old.save());
        assert_eq!(new.peers, old.peers[..2]);
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        let mut policy = born("{}", &[1, 1, 1]);
        assert_eq!(retry(&mut policy, &[0, 1]), Choice::Backend(2));
        assert_eq!(retry(&mut policy, &[0, 1, 2]), Choice::Abstain);
    }
}
