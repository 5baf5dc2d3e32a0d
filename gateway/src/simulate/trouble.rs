//! What befalls backends, and when.

use super::dice::Dice;
use super::group::{Failing, Group, Restarts};
use super::scenario::Scenario;
use super::server::Condition;
use super::span::Moment;

/// One thing that befalls one backend, or a group of them in turn.
#[derive(Debug)]
pub(super) struct Trouble {
    /// First backend and number of backends.
    servers: (usize, usize),
    step: Step,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Slow { speed: f64, until: Option<u64> },
    Recover,
    Fail { rule: Failing, until: Option<u64> },
    Heal,
    Stall { every: u64, pause: u64 },
    GoOn { every: u64, pause: u64 },
    Restart { rule: Restarts, next: usize },
    Return { rule: Restarts },
    Warm,
    Jump { every: u64, speeds: Vec<f64> },
    Leave { back: Option<u64> },
    Join,
}

/// What the world is to do about it.
pub(super) enum Effect {
    /// The backend's condition has changed.
    Changed,
    /// The backend lost what it was serving.
    Restarted,
    /// The backend left the configuration, or came back.
    Configured { down: bool },
}

/// What a step leads to.
pub(super) struct Fired {
    pub(super) effect: Effect,
    /// Further steps, each with its moment.
    pub(super) then: Vec<(u64, Trouble)>,
}

/// Everything that will befall the backends of a scenario, with the moment of its first step.
/// `length` is the expected length of the run.
pub(super) fn all(scenario: &Scenario, length: u64, dice: &mut Dice) -> Vec<(u64, Trouble)> {
    let mut first = 0;
    let mut list = Vec::new();
    for group in &scenario.groups {
        for server in first..first + group.number {
            let one = |at: u64, step| (at, Trouble { servers: (server, 1), step });
            list.extend(of_each(group, length, dice).into_iter().map(|(at, step)| one(at, step)));
        }
        if let Some(rule) = group.restarts {
            let step = Step::Restart { rule, next: 0 };
            list.push((rule.every.0, Trouble { servers: (first, group.number), step }));
        }
        first += group.number;
    }
    list
}

/// What befalls each backend of a group by itself.
fn of_each(group: &Group, length: u64, dice: &mut Dice) -> Vec<(u64, Step)> {
    let at = |moment: Moment| moment.within(length);
    let mut steps = Vec::new();
    if let Some(slow) = group.slow {
        steps.push((at(slow.from), Step::Slow { speed: slow.speed, until: slow.until.map(at) }));
    }
    if let Some(rule) = group.fails {
        steps.push((at(rule.from), Step::Fail { rule, until: rule.until.map(at) }));
    }
    if let Some(stalls) = group.stalls {
        let (every, pause) = (stalls.every.0, stalls.pause.0);
        steps.push((phase(every, dice), Step::Stall { every, pause }));
    }
    if let Some(jumps) = &group.jumps {
        let every = jumps.every.0;
        steps.push((phase(every, dice), Step::Jump { every, speeds: jumps.speeds.clone() }));
    }
    if let Some(leaves) = group.leaves {
        steps.push((at(leaves.at), Step::Leave { back: leaves.back.map(at) }));
    }
    steps
}

/// Somewhere in a period: backends do not stall in step.
fn phase(every: u64, dice: &mut Dice) -> u64 {
    (dice.unit() * every as f64) as u64
}

impl Trouble {
    /// Whom it befalls next.
    pub(super) fn server(&self) -> usize {
        match self.step {
            Step::Restart { next, .. } => self.servers.0 + next,
            _ => self.servers.0,
        }
    }

    /// Lets it happen at the moment `now` to the backend in this condition.
    pub(super) fn fire(self, now: u64, condition: &mut Condition, dice: &mut Dice) -> Fired {
        let (server, number) = (self.server(), self.servers.1);
        let mut effect = Effect::Changed;
        let mut then = Vec::new();
        let later = |at: u64, step| (at, Trouble { servers: self.servers, step });
        match self.step {
            Step::Slow { speed, until } => {
                condition.slow = speed;
                then.extend(until.map(|until| later(until, Step::Recover)));
            }
            Step::Recover => condition.slow = 1.0,
            Step::Fail { rule, until } => {
                condition.failing = Some(rule);
                then.extend(until.map(|until| later(until, Step::Heal)));
            }
            Step::Heal => condition.failing = None,
            Step::Stall { every, pause } => {
                condition.stalled = true;
                then.push(later(now + pause, Step::GoOn { every, pause }));
            }
            Step::GoOn { every, pause } => {
                condition.stalled = false;
                then.push(later(now + every.saturating_sub(pause).max(1), Step::Stall { every, pause }));
            }
            Step::Restart { rule, next } => {
                then.push(later(now + rule.every.0, Step::Restart { rule, next: (next + 1) % number }));
                let alone = |step| Trouble { servers: (server, 1), step };
                if rule.down.0 > 0 {
                    condition.gone = true;
                    effect = Effect::Restarted;
                    then.push((now + rule.down.0, alone(Step::Return { rule })));
                } else {
                    then.push((now, alone(Step::Return { rule })));
                }
            }
            Step::Return { rule } => {
                condition.gone = false;
                condition.warming += 1;
                condition.warm_speed = rule.speed;
                then.push(later(now + rule.warm.0, Step::Warm));
            }
            Step::Warm => condition.warming -= 1,
            Step::Jump { every, speeds } => {
                condition.jumped = speeds[dice.below(speeds.len())];
                then.push(later(now + every, Step::Jump { every, speeds }));
            }
            Step::Leave { back } => {
                effect = Effect::Configured { down: true };
                then.extend(back.map(|back| later(back, Step::Join)));
            }
            Step::Join => effect = Effect::Configured { down: false },
        }
        Fired { effect, then }
    }
}
