//! What a policy exports besides `pick`.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::Stopped;
use crate::kit::world::outcome;
use crate::policy::Choice;
use crate::stats::Verdict;

pub(super) const CALLS: Property =
    Property { name: "calls", expected: "no trap; an explanation says something", examine };

const ROUNDS: u32 = 400;
const CANDIDATES: usize = 5;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    let exports = subject.policy.exports();
    let optional: Vec<_> = exports.into_iter().filter(|name| !matches!(*name, "policy" | "state")).collect();
    if optional.is_empty() {
        return Ok(Found::DoesNotApply("it exports neither feedback nor timer nor explain".into()));
    }
    let rounds = subject.enough(ROUNDS, CANDIDATES);
    trial.tries(format!(
        "{rounds} rounds of {}, with every verdict and the longest and shortest times",
        optional.join(", ")
    ));
    let mut instance = subject.born(Fleet::of(CANDIDATES).candidates())?;
    let mut dice = subject.dice("calls");
    let mut mute = 0;
    for round in 0..rounds {
        let at = |call: &str| {
            let call = call.to_owned();
            move |fault| Stopped(format!("{fault} (in `{call}`, round {round})"))
        };
        let now = 1_000_000 + u64::from(round) * 10_000;
        let ask = request::ask(round.into(), 0, dice.bits(), now);
        let mut facts = request::facts(round.into(), &[]);
        let choice = instance.pick(&ask, &mut facts).map_err(at("pick"))?;
        let explanation = instance.explain(&ask, &mut facts).map_err(at("explain"))?;
        mute += u32::from(explanation.is_some_and(|text| text.trim().is_empty()));
        if let Choice::Backend(index) = choice {
            let total = dice.one_of(&[0, 1, 20_000, (1 << 31) - 1]);
            let ended = outcome(dice.one_of(&Verdict::ALL), total, now + u64::from(total));
            instance.done(index, &ended).map_err(at("done"))?;
        }
        instance.tick(now).map_err(at("tick"))?;
    }
    let happened = format!("{rounds} rounds of {}", optional.join(", "));
    Ok(if mute == 0 {
        Found::Expected(happened)
    } else {
        Found::Otherwise(format!("{mute} of {rounds} explanations are empty"))
    })
}
