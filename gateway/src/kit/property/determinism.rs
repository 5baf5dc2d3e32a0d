//! The same inputs, the same picks: without that nothing can be replayed.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::Stopped;
use crate::kit::world::outcome;
use crate::policy::Choice;
use crate::stats::{InFlight, Verdict};

pub(super) const DETERMINISM: Property = Property {
    name: "determinism",
    expected: "two instances with the same seed make the same choices",
    examine,
};

const PICKS: u32 = 2_000;
const WEIGHTS: [u32; 7] = [1, 1, 2, 2, 3, 5, 8];
/// Attempts in flight at a time.
const HELD: usize = 40;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    let picks = subject.enough(PICKS, WEIGHTS.len());
    trial.tries(format!("two instances, {picks} picks each over the same statistics, feedback and ticks"));
    let fleet = Fleet::weighted(&WEIGHTS);
    let mut twins = [subject.born(fleet.candidates())?, subject.born(fleet.candidates())?];
    let mut dice = subject.dice("determinism");
    let mut held = Vec::new();
    for pick in 0..picks {
        let now = 1_000_000 + u64::from(pick) * 1_500;
        let tried: Vec<u32> = (0..(pick % 11).saturating_sub(8)).collect();
        let ask = request::ask(dice.bits() % 500, tried.len(), dice.bits(), now);
        let mut choices = [Choice::Abstain; 2];
        for (twin, choice) in twins.iter_mut().zip(&mut choices) {
            *choice = twin.pick(&ask, &mut request::facts(ask.key % 500, &tried))?;
        }
        if choices[0] != choices[1] {
            return Ok(Found::Otherwise(format!(
                "pick {pick}: one chose {:?}, the other {:?}",
                choices[0], choices[1]
            )));
        }
        let Choice::Backend(index) = choices[0] else { continue };
        held.push((index, InFlight::begin(fleet.stats(index as usize), now)));
        if held.len() > HELD {
            let (index, guard) = held.swap_remove(dice.below(held.len()));
            let verdict = dice.one_of(&[Verdict::Success, Verdict::Success, Verdict::ServerError]);
            let ended = outcome(verdict, (now - guard.began()) as u32 + dice.below(9_000) as u32, now);
            fleet.stats(index as usize).record(&ended, fleet.upstream());
            for twin in &mut twins {
                twin.done(index, &ended)?;
                twin.tick(now)?;
            }
        }
    }
    Ok(Found::Expected(format!("two instances, {picks} picks, the same choices")))
}
