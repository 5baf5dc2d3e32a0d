//! Memory that grows with each pick is gone sooner or later.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};
use crate::policy::Instance;

pub(super) const MEMORY: Property =
    Property { name: "memory", expected: "what an instance holds does not grow with its picks", examine };

const PICKS: u32 = 20_000;
const SIZES: [usize; 2] = [10, 1_000];

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    let mut told = Vec::new();
    trial.tries("up to 20,000 picks, retries among them, with 10 and with 1,000 candidates");
    for number in SIZES {
        let picks = subject.enough(PICKS, number);
        let mut instance = subject.born(Fleet::of(number).candidates())?;
        pick(subject, &mut instance, number, picks / 2)?;
        let half = instance.memory();
        pick(subject, &mut instance, number, picks / 2)?;
        let held = instance.memory();
        // A collector may take a little more now and then; who never gives back takes it steadily.
        if held > half + half / 10 {
            return Ok(Found::Otherwise(format!(
                "{} KiB after {} picks among {number} candidates, {} KiB after twice as many: something is never freed",
                half >> 10,
                picks / 2,
                held >> 10
            )));
        }
        told.push(format!("{} KiB with {number} candidates", held >> 10));
    }
    Ok(Found::Expected(format!("{}, steady", told.join(", "))))
}

fn pick(subject: &Subject, instance: &mut Instance, number: usize, picks: u32) -> Result<(), Stopped> {
    let mut dice = subject.dice("memory");
    let mut facts = [request::facts(1, &[]), request::facts(1, &[0])];
    for pick in 0..picks {
        let retry = usize::from(pick % 8 == 7);
        let ask = request::ask(dice.bits() >> 40, retry, dice.bits(), 1_000_000 + u64::from(pick));
        let choice = instance.pick(&ask, &mut facts[retry]);
        choice.map_err(|fault| {
            Stopped(format!("{fault} (after {pick} picks among {number} candidates: is memory ever freed?)"))
        })?;
    }
    Ok(())
}
