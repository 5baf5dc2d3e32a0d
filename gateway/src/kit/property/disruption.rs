//! Who always goes to the same backend stays there when another one leaves.

use std::sync::Arc;

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};
use crate::policy::{Birth, Choice};
use crate::upstream::Candidates;

pub(super) const DISRUPTION: Property = Property {
    name: "disruption",
    expected: "when one of ten goes out of service, at most 5 % of the visitors of the others move",
    examine,
};

const CANDIDATES: usize = 10;
const LEAVING: usize = 3;
const VISITORS: u32 = 2_000;
/// Of a hundred visitors so many must come back to the same backend for a policy to be sticky.
const STICKY: usize = 99;
const MOST: f64 = 5.0;

/// For each visitor the name of the backend; none when the policy did not name one.
type Homes = Vec<Option<Arc<str>>>;

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    let visitors = subject.enough(VISITORS, CANDIDATES);
    trial.tries(format!("{visitors} visitors with a key, a cookie and an address each, at {CANDIDATES} candidates; then number {LEAVING} goes"));
    let fleet = Fleet::of(CANDIDATES);
    let before = homes(subject, &fleet.candidates(), visitors, "before")?;
    let again = homes(subject, &fleet.candidates(), visitors, "again")?;
    let back =
        before.iter().zip(&again).filter(|(before, again)| before.is_some() && before == again).count();
    let different = (1..before.len()).any(|visitor| before[visitor] != before[0]);
    if back * 100 < before.len() * STICKY || !different {
        return Ok(Found::DoesNotApply("its picks do not follow the visitor".into()));
    }
    let leaving = fleet.name(LEAVING);
    let down = moved(&before, &homes(subject, &fleet.with_down(LEAVING), visitors, "down")?, leaving);
    let removed = moved(&before, &homes(subject, &fleet.without(LEAVING), visitors, "removed")?, leaving);
    let happened = format!(
        "when one of {CANDIDATES} goes out of service {down:.1} % of the others' visitors move, \
         when it leaves the configuration {removed:.1} %"
    );
    Ok(if down <= MOST { Found::Expected(happened) } else { Found::Otherwise(happened) })
}

/// Where visitors go, with other chance, at another time, in another order and in another instance
/// for each purpose: who deals out turns would else look as if it knew its visitors.
fn homes(
    subject: &Subject,
    candidates: &Arc<Candidates>,
    visitors: u32,
    purpose: &str,
) -> Result<Homes, Stopped> {
    let mut dice = subject.dice(purpose);
    let birth = Birth { seed: dice.bits() >> 11, ..subject.birth(Arc::clone(candidates)) };
    let mut instance = subject.policy.instantiate(birth)?;
    let mut homes = vec![None; visitors as usize];
    let mut order: Vec<usize> = (0..homes.len()).collect();
    order.sort_by_cached_key(|_| dice.bits());
    for visitor in order {
        let now = 1_000_000 + dice.bits() % 1_000_000_000;
        let ask = request::ask(visitor as u64, 0, dice.bits(), now);
        if let Choice::Backend(index) = instance.pick(&ask, &mut request::facts(visitor as u64, &[]))? {
            homes[visitor] = Some(Arc::clone(&candidates.backends[index as usize].name));
        }
    }
    Ok(homes)
}

/// Of the visitors who were not at `leaving`, those who are elsewhere now, in per cent.
fn moved(before: &Homes, after: &Homes, leaving: &str) -> f64 {
    let stayed = |home: &Option<Arc<str>>| home.as_deref() != Some(leaving);
    let others = before.iter().zip(after).filter(|(before, _)| stayed(before));
    let (mut all, mut moved) = (0u32, 0u32);
    for (before, after) in others {
        all += 1;
        moved += u32::from(before != after);
    }
    100.0 * f64::from(moved) / f64::from(all.max(1))
}
