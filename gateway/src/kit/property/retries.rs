//! When an attempt fails, the request goes elsewhere.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::Stopped;
use crate::policy::Decision;

pub(super) const RETRIES: Property = Property {
    name: "retries",
    expected: "every candidate is reached, and none is named again that was tried (abstaining is fine)",
    examine,
};

const CANDIDATES: usize = 10;
const REQUESTS: u32 = 150;
/// Retries in vain that are forgiven, per hundred: a policy that draws lots may draw the same.
const FORGIVEN: u64 = 1;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    let requests = subject.enough(REQUESTS * CANDIDATES as u32, CANDIDATES) / CANDIDATES as u32;
    trial.tries(format!(
        "{requests} requests that fail at each of {CANDIDATES} candidates, one after the other"
    ));
    let (mut picker, roster) = subject.picker(Fleet::of(CANDIDATES).candidates())?;
    let mut dice = subject.dice("retries");
    let (mut retries, mut rejected) = (0, 0);
    for visitor in 0..u64::from(requests) {
        let mut tried = Vec::new();
        loop {
            let ask = request::ask(visitor, tried.len(), dice.bits(), 1_000_000 + visitor * 1_000);
            match picker.pick(ask, &mut request::facts(visitor, &tried)) {
                Decision::Candidate(candidate) => tried.push(candidate),
                Decision::Reject(_) => {
                    rejected += 1;
                    break;
                }
                Decision::Exhausted => break,
            }
        }
        retries += tried.len().saturating_sub(1) as u64;
    }
    let snapshot = roster.snapshot();
    if let Some(fault) = snapshot.last_fault {
        return Err(Stopped(format!("{fault} (in a retry)")));
    }
    let (vain, again, abstained) =
        (snapshot.totals.fallbacks, snapshot.totals.repicks, snapshot.totals.abstained);
    if rejected > 0 {
        return Ok(Found::Otherwise(format!(
            "{rejected} of {requests} requests were refused before all candidates were tried"
        )));
    }
    if vain * 100 > retries * FORGIVEN {
        return Ok(Found::Otherwise(format!(
            "in {vain} of {retries} retries it named four times what was tried already, and the gateway chose instead\n\
             when `attempt` is above 0: look at `tried`, or abstain"
        )));
    }
    let happened = match abstained {
        0 => format!("{requests} requests reached all {CANDIDATES} candidates by its own choices"),
        n => format!("{requests} requests reached all {CANDIDATES} candidates; it abstained {n} times"),
    };
    Ok(match again {
        0 => Found::Expected(happened),
        n => Found::Noteworthy(format!("{happened}, and named {n} times what was tried already")),
    })
}
