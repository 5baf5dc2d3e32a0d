//! A backend that failed and is well again gets its work back.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::subject::Stopped;
use crate::kit::world::{World, healthy};
use crate::simulate::Dice;
use crate::stats::Verdict;

pub(super) const RECOVERY: Property = Property {
    name: "recovery",
    expected: "a minute after its last failure a candidate has a quarter of its share again",
    examine,
};

const CANDIDATES: usize = 10;
const FAILING: u32 = 4;
/// 250 requests a second.
const IN_FLIGHT: f64 = 5.0;
/// Four seconds of failures, a minute of health, and 20 s in which is counted.
const REQUESTS: [u32; 3] = [1_000, 15_000, 5_000];
const LEAST: f64 = 0.25 * 100.0 / CANDIDATES as f64;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries(format!("{CANDIDATES} candidates, 250 requests a second; number {FAILING} refuses for 4 s, then is well for a minute"));
    let [failing, well, counted] = REQUESTS;
    if trial.subject.enough(well, CANDIDATES) < well {
        return Ok(Found::DoesNotApply("too slow for a minute of traffic".into()));
    }
    let mut world = World::new(trial.subject, Fleet::of(CANDIDATES), "recovery")?;
    world.run(failing, IN_FLIGHT, &healthy)?;
    world.run(failing, IN_FLIGHT, &|backend: u32, dice: &mut Dice| {
        if backend == FAILING { (300, Verdict::ConnectFailed) } else { healthy(backend, dice) }
    })?;
    world.run(well, IN_FLIGHT, &healthy)?;
    let share = world.run(counted, IN_FLIGHT, &healthy)?.per_cent(FAILING as usize);
    let happened = format!(
        "a minute after it failed, a candidate gets {share:.1} % of the attempts ({CANDIDATES} candidates)"
    );
    Ok(if share >= LEAST { Found::Expected(happened) } else { Found::Otherwise(happened) })
}
