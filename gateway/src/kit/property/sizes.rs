//! Any number of candidates.

use std::sync::Arc;

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};
use crate::policy::{BirthError, Decision};

pub(super) const SIZES: Property =
    Property { name: "sizes", expected: "it is born and names candidates that exist", examine };

const SIZES_TRIED: [usize; 5] = [1, 2, 10, 1_000, 10_000];
const PICKS: u32 = 200;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    trial.tries(
        "no candidate; then 1, 2, 10, 1,000 and 10,000 candidates, up to 200 picks each, retries among them",
    );
    let of_none = none(trial.subject)?;
    let mut picks = 0;
    for number in SIZES_TRIED {
        picks += some(trial.subject, number)?;
    }
    let happened = format!("born with 1 to 10,000 candidates; {picks} choices, all of candidates that exist");
    Ok(match of_none {
        None => Found::Expected(happened),
        Some(why) => Found::Noteworthy(format!(
            "{happened}\nwithout candidates it fails: {why} (the gateway never asks that)"
        )),
    })
}

/// Without candidates the gateway asks nobody; a policy may refuse to be born. What it says when
/// it fails instead.
fn none(subject: &Subject) -> Result<Option<String>, Stopped> {
    let candidates = Fleet::of(0).candidates();
    match subject.policy.instantiate(subject.birth(Arc::clone(&candidates))) {
        Err(BirthError::Refused(_)) => return Ok(None),
        Err(BirthError::Fault(fault)) => return Ok(Some(fault.to_string())),
        Ok(_) => {}
    }
    let (mut picker, _) = subject.picker(candidates)?;
    let decision = picker.pick(request::ask(1, 0, 1, 1), &mut request::facts(1, &[]));
    let asked = decision != Decision::Exhausted;
    Ok(asked.then(|| "a choice was made where there was none".to_owned()))
}

fn some(subject: &Subject, number: usize) -> Result<u32, Stopped> {
    let mut dice = subject.dice("sizes");
    let mut instance = subject.born(Fleet::of(number).candidates())?;
    let picks = subject.enough(PICKS, number);
    for pick in 0..picks {
        // Every third request is a retry, of which the last has one candidate left.
        let tried: Vec<u32> = match pick % 3 {
            0 => (0..(number as u32 - 1).min(pick + 1)).collect(),
            _ => Vec::new(),
        };
        let ask = request::ask(pick.into(), tried.len(), dice.bits(), 1_000_000 + u64::from(pick));
        let choice = instance.pick(&ask, &mut request::facts(pick.into(), &tried));
        choice.map_err(|fault| Stopped(format!("{fault} (with {number} candidates, pick {pick})")))?;
    }
    Ok(picks)
}
