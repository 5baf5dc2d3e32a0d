//! A backend that fails at once is always idle and always quick. It must not draw the traffic.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::subject::{Stopped, Subject};
use crate::kit::world::{World, healthy};
use crate::simulate::Dice;
use crate::stats::Verdict;

pub(super) const BLACK_HOLE: Property = Property {
    name: "black-hole",
    expected: "a candidate that refuses every connection at once gets no more than 2.5 times its share",
    examine,
};

const CANDIDATES: usize = 10;
const FAILING: u32 = 4;
const REQUESTS: u32 = 15_000;
const IN_FLIGHT: f64 = 50.0;
/// Two draws of ten meet the failing one in every fifth pick; that is a share of its own kind.
const MOST: f64 = 2.5 * 100.0 / CANDIDATES as f64;
/// How long it takes to be refused, microseconds.
const REFUSAL: u32 = 200;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let requests = trial.subject.enough(REQUESTS, CANDIDATES);
    trial.tries(format!("{requests} requests, {IN_FLIGHT} in flight at {CANDIDATES} candidates; number {FAILING} refuses within {REFUSAL} µs"));
    let mut world = World::new(trial.subject, Fleet::of(CANDIDATES), "black hole")?;
    world.run(requests / 5, IN_FLIGHT, &healthy)?;
    let tally = world.run(requests, IN_FLIGHT, &|backend: u32, dice: &mut Dice| {
        if backend == FAILING { (REFUSAL, Verdict::ConnectFailed) } else { healthy(backend, dice) }
    })?;
    let share = tally.per_cent(FAILING as usize);
    let happened =
        format!("a candidate that fails at once gets {share:.1} % of the attempts ({CANDIDATES} candidates)");
    Ok(if share <= MOST {
        Found::Expected(happened)
    } else if sees_failures(trial.subject) {
        Found::Otherwise(format!("{happened}\nweigh `stats.failures`, or let `feedback` remember who failed"))
    } else {
        Found::Noteworthy(format!("{happened}\nit does not ask who fails: use it with health checks"))
    })
}

/// Does the policy ask for anything that tells a failing backend from an idle one? If not it relies
/// on the gateway to take such a backend away, as nginx's `least_conn` does.
fn sees_failures(subject: &Subject) -> bool {
    let telling =
        ["stats#latency", "stats#latency-of", "stats#failures", "stats#failures-of", "stats#detail-of"];
    subject.policy.wants_feedback()
        || subject.policy.imports().iter().any(|import| telling.contains(&&**import))
}
