//! Recorded picks, made again: what a change of the policy has changed.

use super::{Found, Property, Trial};
use crate::kit::subject::Stopped;

pub(super) const REPLAY: Property = Property {
    name: "replay",
    expected: "the recorded choices, every one; where they are meant to change, accept `replay`",
    examine,
};

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    let Some(recording) = &subject.wishes.recording else {
        return Ok(Found::DoesNotApply("no recording is given".into()));
    };
    let header = &recording.header;
    trial.tries(format!(
        "{} picks of policy {} {} in upstream {}, with the statistics as they stood",
        recording.picks().count(),
        header.policy,
        header.version,
        header.upstream
    ));
    // The recorded policy has the recorded options, unless others are given.
    let given = subject.wishes.options.as_str();
    let is_recorded = subject.policy.name() == header.policy;
    let options = if is_recorded && given == "{}" { &header.options } else { given };
    let replayed = recording.replay(&subject.policy, options, subject.wishes.limits)?;
    let faults = match replayed.faults {
        0 => String::new(),
        faults => format!("; {faults} of them failed"),
    };
    Ok(match &replayed.first {
        None => Found::Expected(format!("{} recorded picks, the same choices", replayed.picks)),
        Some(first) => Found::Otherwise(format!(
            "{} of {} picks come out as recorded{faults}\nthe first that does not is number {}: {} instead of {}",
            replayed.same, replayed.picks, first.pick, first.now, first.recorded
        )),
    })
}
