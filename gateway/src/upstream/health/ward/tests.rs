//! Ejections and returns, on a clock that the tests turn.

use super::*;
use crate::upstream::health::{Passive, State};

const SECOND: u64 = 1_000_000;

/// An upstream of some backends, by what they are made of.
struct Bench {
    health: Health,
    backends: Vec<Arc<Backend>>,
    ejection: Option<Ejection>,
    rings: crossbeam_channel::Receiver<()>,
}

fn bench<const N: usize>(make: impl Fn(usize, Backend) -> Backend) -> Bench {
    let (bell, rings) = crossbeam_channel::bounded(1);
    let backend = |n: usize| {
        let name = format!("10.0.0.{n}:80");
        Arc::new(make(n, Backend::new(&name, name.parse().unwrap(), n)))
    };
    let backends = (0..N).map(backend).collect();
    Bench { health: Health::new("api".into(), bell), backends, ejection: Some(Ejection::default()), rings }
}

fn plain<const N: usize>() -> Bench {
    bench::<N>(|_, backend| backend)
}

/// Backends with these rules of nginx's, and no others.
fn with_max_fails<const N: usize>(max_fails: u32) -> Bench {
    let passive = Passive { max_fails, ..Passive::default() };
    Bench { ejection: None, ..bench::<N>(|_, backend| Backend { passive, ..backend }) }
}

impl Bench {
    fn note(&self, index: usize, verdict: Verdict, status: u16, at: u64, trial: bool) {
        let outcome = Outcome { verdict, status, connect: 0, first_byte: 0, total: 0, now: at * SECOND };
        let unsuccessful = matches!(verdict, Verdict::ConnectFailed | Verdict::TimedOut | Verdict::Broken);
        self.health.note(self.ward(), index, &outcome, trial, unsuccessful);
    }

    fn ward(&self) -> Ward<'_> {
        Ward { backends: &self.backends, ejection: self.ejection.as_ref() }
    }

    fn fail(&self, index: usize, times: usize, at: u64) {
        (0..times).for_each(|_| self.note(index, Verdict::ConnectFailed, 0, at, false));
    }

    fn states(&self) -> Vec<&'static str> {
        self.backends.iter().map(|backend| backend.condition.state().name()).collect()
    }

    fn trial(&self, at: u64) -> Option<usize> {
        self.health.take_trial(self.ward(), at * SECOND, true, |_| true)
    }

    fn ejected_until(&self, index: usize) -> u64 {
        self.backends[index].condition.record().until / SECOND
    }
}

#[test]
fn five_gateway_errors_in_a_row_eject_for_ten_seconds() {
    let bench = plain::<3>();
    bench.fail(1, 4, 1);
    assert_eq!(bench.states(), ["up", "up", "up"]);
    bench.note(1, Verdict::ServerError, 503, 1, false);
    assert_eq!(bench.states(), ["up", "ejected", "up"]);
    assert_eq!((bench.ejected_until(1), bench.health.trial_at() / SECOND), (11, 11));
    assert!(bench.rings.try_recv().is_ok(), "whoever keeps the candidates is told");
}

#[test]
fn a_success_between_errors_and_a_plain_500_forgive() {
    let bench = plain::<2>();
    for (verdict, status) in [(Verdict::Success, 200), (Verdict::ServerError, 500)] {
        bench.fail(0, 4, 1);
        bench.note(0, verdict, status, 1, false);
    }
    bench.fail(0, 4, 1);
    assert_eq!(bench.states(), ["up", "up"]);
}

#[test]
fn a_client_that_leaves_says_nothing() {
    let bench = plain::<2>();
    (0..9).for_each(|_| bench.note(0, Verdict::Cancelled, 0, 1, false));
    assert_eq!(bench.states(), ["up", "up"]);
}

#[test]
fn at_least_one_is_left_and_at_most_half_go() {
    let bench = plain::<4>();
    (0..4).for_each(|index| bench.fail(index, 9, 1));
    assert_eq!(bench.states(), ["ejected", "ejected", "up", "up"]);
    let alone = plain::<1>();
    alone.fail(0, 99, 1);
    assert_eq!(alone.states(), ["up"]);
}

#[test]
fn one_request_tries_it_when_its_time_is_up() {
    let bench = plain::<2>();
    bench.fail(0, 5, 1);
    assert_eq!(bench.trial(10), None, "too early");
    assert_eq!(bench.trial(11), Some(0));
    assert_eq!(bench.states(), ["trial", "up"]);
    assert_eq!(bench.trial(11), None, "one at a time");
    bench.health.pass_trial(&bench.backends[0], 12 * SECOND);
    assert_eq!(bench.states(), ["up", "up"]);
    assert_eq!(bench.backends[0].condition.returns(), 1);
}

#[test]
fn a_trial_that_fails_doubles_the_time() {
    let bench = plain::<2>();
    bench.fail(0, 5, 1);
    for (trial_at, until) in [(11, 31), (31, 71)] {
        assert_eq!(bench.trial(trial_at), Some(0));
        bench.note(0, Verdict::ConnectFailed, 0, trial_at, true);
        assert_eq!((bench.states()[0], bench.ejected_until(0)), ("ejected", until));
    }
}

#[test]
fn who_fails_again_soon_is_out_for_longer_and_who_served_well_starts_anew() {
    let bench = plain::<2>();
    let eject_and_return = |at: u64| {
        bench.fail(0, 5, at);
        let until = bench.ejected_until(0);
        assert_eq!(bench.trial(until), Some(0));
        bench.health.pass_trial(&bench.backends[0], until * SECOND);
        until - at
    };
    assert_eq!([eject_and_return(1), eject_and_return(13), eject_and_return(100)], [10, 20, 10]);
}

#[test]
fn a_trial_whose_client_left_is_given_to_the_next() {
    let bench = plain::<2>();
    bench.fail(0, 5, 1);
    assert_eq!(bench.trial(11), Some(0));
    bench.note(0, Verdict::Cancelled, 0, 12, true);
    assert!(bench.health.trial_at() <= 12 * SECOND);
    assert_eq!(bench.trial(12), Some(0));
}

#[test]
fn a_request_that_cannot_be_repeated_tries_only_if_nobody_else_does() {
    let bench = plain::<2>();
    bench.fail(0, 5, 1);
    let post = |at: u64| bench.health.take_trial(bench.ward(), at * SECOND, false, |_| true);
    assert_eq!((post(12), post(16)), (None, Some(0)));
}

#[test]
fn an_ejected_backend_that_answers_because_there_is_nobody_else_is_back() {
    let bench = plain::<2>();
    bench.fail(0, 5, 1);
    bench.note(0, Verdict::Success, 200, 2, false);
    assert_eq!(bench.states(), ["up", "up"]);
}

#[test]
fn late_answers_from_before_the_ejection_change_nothing() {
    let bench = plain::<2>();
    bench.fail(0, 5, 5);
    let began_before = Outcome {
        verdict: Verdict::Success,
        status: 200,
        connect: 0,
        first_byte: 0,
        total: 3 * SECOND as u32,
        now: 6 * SECOND,
    };
    bench.health.note(bench.ward(), 0, &began_before, false, false);
    assert_eq!(bench.states(), ["ejected", "up"]);
}

#[test]
fn max_fails_counts_within_fail_timeout_and_takes_out_for_fail_timeout() {
    let bench = with_max_fails::<2>(3);
    bench.fail(0, 2, 1);
    bench.fail(0, 2, 12);
    assert_eq!(bench.states(), ["up", "up"], "the first two are too old");
    bench.fail(0, 1, 13);
    assert_eq!((bench.states()[0], bench.ejected_until(0)), ("ejected", 23));
    assert_eq!(bench.trial(23), Some(0));
    bench.note(0, Verdict::TimedOut, 0, 24, true);
    assert_eq!(bench.ejected_until(0), 34, "one failure is enough after that, and the time stays");
}

#[test]
fn max_fails_has_no_share_but_spares_a_lone_backend() {
    let bench = with_max_fails::<3>(1);
    (0..3).for_each(|index| bench.fail(index, 1, 1));
    assert_eq!(bench.states(), ["ejected"; 3]);
    let alone = with_max_fails::<1>(1);
    alone.fail(0, 9, 1);
    assert_eq!(alone.states(), ["up"]);
}

#[test]
fn a_backup_that_nobody_needs_is_forgiven_in_time() {
    let bench = bench::<3>(|n, backend| Backend { backup: n > 0, ..backend });
    bench.fail(1, 5, 1);
    assert_eq!(bench.states(), ["up", "ejected", "up"]);
    assert_eq!(bench.trial(11), None);
    assert_eq!(bench.states(), ["up", "up", "up"]);
}

#[test]
fn checks_and_drains_are_told_once() {
    let bench = plain::<2>();
    let backend = &bench.backends[0];
    bench.health.set_failing(backend, true, "refused", 1);
    assert_eq!(backend.condition.state(), State::Failing);
    assert!(bench.rings.try_recv().is_ok());
    bench.health.set_failing(backend, true, "refused", 2);
    assert!(bench.rings.try_recv().is_err());
    assert!(bench.health.set_draining(backend, true, 3));
    assert!(!bench.health.set_draining(backend, true, 4));
    assert_eq!(backend.condition.state(), State::Draining);
}
