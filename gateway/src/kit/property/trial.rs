//! What every policy must stand before it serves: the gateway's own trial.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::subject::Stopped;
use crate::policy::try_out;

pub(super) const TRIAL: Property = Property {
    name: "trial",
    expected: "it stands the trial that the gateway makes before a policy serves",
    examine,
};

const CANDIDATES: usize = 3;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries(format!(
        "a birth with these options and {CANDIDATES} candidates, 300 picks, each call that it exports"
    ));
    let subject = trial.subject;
    let report = try_out(&subject.policy, &subject.birth(Fleet::of(CANDIDATES).candidates()));
    let report = report.map_err(|error| Stopped(error.to_string()))?;
    Ok(Found::Expected(format!("{} picks, as the gateway asks them before a policy serves", report.picks)))
}
