//! Who has more weight gets more.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::subject::Stopped;
use crate::kit::world::{Tally, World, healthy};

pub(super) const WEIGHTS: Property = Property {
    name: "weights",
    expected: "under load each candidate's share is that of its weight, a quarter more or less",
    examine,
};

const GIVEN: [u32; 8] = [1, 1, 2, 2, 3, 3, 4, 4];
const REQUESTS: u32 = 20_000;
/// Attempts in flight for each unit of weight: when nobody waits, the best may well get all.
const PER_WEIGHT: f64 = 10.0;
const TOLERANCE: f64 = 0.25;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let requests = trial.subject.enough(REQUESTS, GIVEN.len());
    let sum: u32 = GIVEN.iter().sum();
    let in_flight = f64::from(sum) * PER_WEIGHT;
    trial.tries(format!("weights {GIVEN:?}, {requests} requests of different visitors, {in_flight} in flight, all backends alike"));
    let mut world = World::new(trial.subject, Fleet::weighted(&GIVEN), "weights")?;
    let tally = world.run(requests, in_flight, &healthy)?;
    if tally.total() == 0 {
        return Ok(Found::Otherwise(format!("all {} requests were refused", tally.rejected)));
    }
    let total = tally.total() as f64;
    let by_weight = GIVEN.map(|weight| total * f64::from(weight) / f64::from(sum));
    let shares: Vec<String> = (0..GIVEN.len()).map(|index| format!("{:.1}", tally.per_cent(index))).collect();
    let shares = shares.join(" ");
    if fits(&tally, &by_weight) {
        return Ok(Found::Expected(format!("weights {GIVEN:?} got {shares} %")));
    }
    let alike = fits(&tally, &[total / GIVEN.len() as f64; GIVEN.len()]);
    let why = if alike { "\nit does not look at weights" } else { "" };
    let ideal: Vec<String> =
        GIVEN.iter().map(|weight| format!("{:.1}", 100.0 * f64::from(*weight) / f64::from(sum))).collect();
    Ok(Found::Otherwise(format!("shares are {shares} %\nby weight:  {} %{why}", ideal.join(" "))))
}

/// Within the tolerance, or within what chance alone explains (four deviations).
fn fits(tally: &Tally, expected: &[f64]) -> bool {
    tally.attempts.iter().zip(expected).all(|(got, expected)| {
        (*got as f64 - expected).abs() <= (TOLERANCE * expected).max(4.0 * expected.sqrt())
    })
}
