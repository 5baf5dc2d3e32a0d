//! What was learnt survives the instance.

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};
use crate::kit::world::outcome;
use crate::policy::{Birth, Choice, Instance, LARGEST_STATE};
use crate::simulate::Dice;
use crate::stats::Verdict;

pub(super) const STATE: Property = Property {
    name: "state",
    expected: "a successor saves the same state or makes the same choices; a state that does not fit is ignored",
    examine,
};

const CANDIDATES: usize = 10;
/// A prime, so that who goes round in circles does not end where it began.
const LEARNING: u32 = 503;
const COMPARED: u32 = 200;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    if !subject.policy.exports().contains(&"state") {
        return Ok(Found::DoesNotApply("it hands nothing over".into()));
    }
    trial.tries("503 picks, then a successor with the saved state; states cut, garbled, of other candidates, of 1 MiB");
    let mut dice = subject.dice("state");
    let mut old = subject.born(Fleet::of(CANDIDATES).candidates())?;
    learn(&mut old, subject.enough(LEARNING, CANDIDATES), &mut dice)?;
    let saved = saved(&mut old)?;
    let mut successor = heir(subject, CANDIDATES, &saved, "the saved state")?;
    let same_state = self::saved(&mut successor)? == saved;
    let same_choices = compare(&mut old, &mut successor, subject.enough(COMPARED, CANDIDATES), &mut dice)?;
    let strange = strangers(subject, &saved, &mut dice)?;
    let large = of_many(subject, &mut dice)?;
    let happened = format!(
        "{} bytes handed over ({large} with 1,000 candidates); {strange} states that do not fit did no harm",
        saved.len()
    );
    Ok(match (same_state, same_choices) {
        (false, false) => Found::Otherwise(
            "the successor neither saves what it was given nor chooses as its predecessor would have".into(),
        ),
        _ => Found::Expected(happened),
    })
}

fn learn(instance: &mut Instance, picks: u32, dice: &mut Dice) -> Result<(), Stopped> {
    for pick in 0..picks {
        let now = 1_000_000 + u64::from(pick) * 2_000;
        let ask = request::ask(dice.bits() % 97, 0, dice.bits(), now);
        if let Choice::Backend(index) = instance.pick(&ask, &mut request::facts(pick.into(), &[]))? {
            let verdict = dice.one_of(&[Verdict::Success, Verdict::Success, Verdict::ServerError]);
            instance.done(index, &outcome(verdict, 1_000 + dice.below(50_000) as u32, now))?;
        }
        instance.tick(now)?;
    }
    Ok(())
}

fn saved(instance: &mut Instance) -> Result<Vec<u8>, Stopped> {
    let saved = instance
        .save()
        .map_err(|fault| Stopped(format!("{fault} (in `save`; at most 1 MiB may be saved)")))?;
    Ok(saved.unwrap_or_default())
}

fn heir(subject: &Subject, candidates: usize, state: &[u8], which: &str) -> Result<Instance, Stopped> {
    let birth = Birth { state: Some(state), ..subject.birth(Fleet::of(candidates).candidates()) };
    subject
        .policy
        .instantiate(birth)
        .map_err(|error| Stopped(format!("{error} (in `restore`, with {which})")))
}

fn compare(old: &mut Instance, new: &mut Instance, picks: u32, dice: &mut Dice) -> Result<bool, Stopped> {
    for pick in 0..picks {
        let ask = request::ask(dice.bits() % 97, 0, dice.bits(), 10_000_000 + u64::from(pick) * 2_000);
        let choose = |instance: &mut Instance| instance.pick(&ask, &mut request::facts(pick.into(), &[]));
        if choose(old)? != choose(new)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives successors states that are not theirs; how many.
fn strangers(subject: &Subject, saved: &[u8], dice: &mut Dice) -> Result<usize, Stopped> {
    let garbled: Vec<u8> = saved.iter().map(|byte| byte ^ dice.bits() as u8).collect();
    let noise: Vec<u8> = (0..300).map(|_| dice.bits() as u8).collect();
    let states: [(&str, usize, &[u8]); 9] = [
        ("no byte", CANDIDATES, &[]),
        ("one byte", CANDIDATES, &[255]),
        ("half of the state", CANDIDATES, &saved[..saved.len() / 2]),
        ("a garbled state", CANDIDATES, &garbled),
        ("noise", CANDIDATES, &noise),
        ("a MiB of zeros", CANDIDATES, &vec![0; LARGEST_STATE]),
        ("a MiB of ones", CANDIDATES, &vec![255; LARGEST_STATE]),
        ("the state of ten candidates at three", 3, saved),
        ("the state of ten candidates at thirty", 30, saved),
    ];
    for (which, candidates, state) in states {
        let mut heir = heir(subject, candidates, state, which)?;
        learn(&mut heir, 20, dice)
            .map_err(|Stopped(why)| Stopped(format!("{why} (after `restore` of {which})")))?;
    }
    Ok(states.len())
}

/// The size of the state with 1,000 candidates.
fn of_many(subject: &Subject, dice: &mut Dice) -> Result<usize, Stopped> {
    let mut instance = subject.born(Fleet::of(1_000).candidates())?;
    learn(&mut instance, subject.enough(LEARNING, 1_000), dice)?;
    Ok(saved(&mut instance)?.len())
}
