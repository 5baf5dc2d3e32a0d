//! What every policy must stand before it serves: the gateway's own trial.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::subject::Stopped;
use crate::policy::{BirthError, TrialError, try_out};

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
    let report = report.map_err(|error| Stopped(told(&error, &subject.wishes.options)))?;
    Ok(Found::Expected(format!("{} picks, as the gateway asks them before a policy serves", report.picks)))
}

/// What went wrong; and what a policy may lack that cannot do without options.
fn told(error: &TrialError, options: &str) -> String {
    match error {
        TrialError::Birth(BirthError::Refused(_)) if options == "{}" => {
            format!(
                "{error}\nif it needs options, give it some, as in the configuration: --options '{{ name = 1 }}'"
            )
        }
        _ => error.to_string(),
    }
}
