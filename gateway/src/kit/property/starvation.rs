//! Nobody who is fit is left without work while others have too much.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::subject::Stopped;
use crate::kit::world::{Tally, World, healthy};

pub(super) const STARVATION: Property = Property {
    name: "starvation",
    expected: "with thousands in flight every healthy candidate has work, and with few nobody is refused",
    examine,
};

const CANDIDATES: usize = 10;
/// Requests, and how many are in flight: hardly any, some, more than a policy that fills one
/// backend after another should put on a few.
const LEVELS: [(u32, f64); 3] = [(500, 0.5), (2_000, 30.0), (12_000, 3_000.0)];

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries(format!("{CANDIDATES} candidates, all alike; 0.5, then 30, then 3,000 requests in flight"));
    let mut world = World::new(trial.subject, Fleet::of(CANDIDATES), "starvation")?;
    let mut last = Tally::default();
    for (requests, in_flight) in LEVELS {
        last = world.run(trial.subject.enough(requests, CANDIDATES), in_flight, &healthy)?;
        if last.rejected > 0 && in_flight < 100.0 {
            return Ok(Found::Otherwise(format!(
                "{} requests were refused with {in_flight} in flight at {CANDIDATES} healthy candidates",
                last.rejected
            )));
        }
    }
    let idle: Vec<String> =
        (0..CANDIDATES).filter(|index| last.attempts[*index] == 0).map(|index| index.to_string()).collect();
    if !idle.is_empty() {
        return Ok(Found::Otherwise(format!(
            "with 3,000 in flight {} of {CANDIDATES} candidates get nothing: {}",
            idle.len(),
            idle.join(", ")
        )));
    }
    let least = (0..CANDIDATES).map(|index| last.per_cent(index)).fold(f64::INFINITY, f64::min);
    let refused =
        if last.rejected > 0 { format!("; {} requests were refused", last.rejected) } else { String::new() };
    Ok(Found::Expected(format!(
        "of {CANDIDATES} alike, the least gets {least:.1} % under heavy load{refused}"
    )))
}
