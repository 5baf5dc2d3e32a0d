//! Coarse deadlines, one clock a worker.
//!
//! Every connection and every request has a deadline at any time, and nearly none is ever
//! reached. A timer of the runtime for each would be armed and disarmed several times a request;
//! here that is one store. The price is precision: the worker looks round every
//! [`INTERVAL`], so an alarm rings up to twice that
//! late.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;

/// How often a worker looks for alarms that are due.
pub const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Slot {
    /// Microseconds on the gateway's clock; `u64::MAX` when it is not set.
    due: u64,
    rang: bool,
    waker: Option<Waker>,
}

/// All alarms of one worker.
#[derive(Debug, Default)]
pub struct Alarms {
    slots: RefCell<Slab<Slot>>,
    /// When the worker last looked round.
    looked: Cell<u64>,
}

impl Alarms {
    /// A new alarm, not set.
    #[must_use]
    pub fn alarm(self: &Rc<Self>) -> Alarm {
        let key = self.slots.borrow_mut().insert(Slot { due: u64::MAX, rang: false, waker: None });
        Alarm { alarms: Rc::clone(self), key }
    }

    /// Rings those that are due at `now`. The worker calls this every [`INTERVAL`].
    pub fn ring(&self, now: u64) {
        self.looked.set(now);
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            if slot.due <= now {
                slot.due = u64::MAX;
                slot.rang = true;
                if let Some(waker) = slot.waker.take() {
                    waker.wake();
                }
            }
        }
    }

    /// Wakes every task that waits with an alarm, for news that concerns all of them.
    pub fn wake_all(&self) {
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }
}

/// One deadline of one task.
#[derive(Debug)]
pub struct Alarm {
    alarms: Rc<Alarms>,
    key: usize,
}

impl Alarm {
    /// Sets it to ring once `after` has passed, whatever it was set to. It counts from the
    /// worker's last look round plus one interval, which spares reading the clock; it is too early
    /// only by as long as the worker was held up.
    pub fn set(&self, after: Duration) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let now = self.alarms.looked.get().saturating_add(micros(INTERVAL));
        let slot = &mut self.alarms.slots.borrow_mut()[self.key];
        slot.due = now.saturating_add(micros(after)).min(u64::MAX - 1);
        slot.rang = false;
    }

    /// Lets it ring at `due` already, if it is set to ring later: microseconds of the gateway's
    /// clock. It is never too early for that.
    pub fn bring_forward(&self, due: u64) {
        let slot = &mut self.alarms.slots.borrow_mut()[self.key];
        slot.due = slot.due.min(due);
    }

    /// Switches it off.
    pub fn clear(&self) {
        let slot = &mut self.alarms.slots.borrow_mut()[self.key];
        slot.due = u64::MAX;
        slot.rang = false;
    }

    /// Ready once it has rung.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let slot = &mut self.alarms.slots.borrow_mut()[self.key];
        if slot.rang {
            return Poll::Ready(());
        }
        match &slot.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => slot.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.alarms.slots.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rang(alarm: &Alarm) -> bool {
        alarm.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    const MILLISECOND: u64 = 1_000;

    #[test]
    fn it_rings_after_its_time_and_at_most_two_intervals_late() {
        let alarms = Rc::new(Alarms::default());
        let alarm = alarms.alarm();
        alarms.ring(1_000 * MILLISECOND);
        alarm.set(Duration::from_millis(500));
        alarms.ring(1_599 * MILLISECOND);
        assert!(!rang(&alarm));
        alarms.ring(1_600 * MILLISECOND);
        assert!(rang(&alarm));
    }

    #[test]
    fn setting_it_again_or_clearing_it_forgets_the_old_time() {
        let alarms = Rc::new(Alarms::default());
        let alarm = alarms.alarm();
        alarm.set(Duration::from_millis(1));
        alarm.set(Duration::from_secs(1));
        alarms.ring(200 * MILLISECOND);
        assert!(!rang(&alarm));
        alarm.clear();
        alarms.ring(u64::MAX - 1);
        assert!(!rang(&alarm));
    }

    #[test]
    fn it_can_be_brought_forward_but_not_put_off() {
        let alarms = Rc::new(Alarms::default());
        let alarm = alarms.alarm();
        alarm.set(Duration::from_millis(500));
        alarm.bring_forward(300 * MILLISECOND);
        alarm.bring_forward(900 * MILLISECOND);
        alarms.ring(299 * MILLISECOND);
        assert!(!rang(&alarm));
        alarms.ring(300 * MILLISECOND);
        assert!(rang(&alarm));
    }

    #[test]
    fn a_dropped_alarm_leaves_no_slot_behind() {
        let alarms = Rc::new(Alarms::default());
        drop(alarms.alarm());
        assert!(alarms.slots.borrow().is_empty());
    }
}
