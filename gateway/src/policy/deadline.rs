//! Deadlines. A policy that computes too long has failed; one whose thread had to wait for a
//! processor has not, and on a busy machine that takes longer than any budget.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Result, Store, StoreContextMut, UpdateDeadline};

use super::engine::ticks;
use super::view::View;

/// Watches over all calls into a store. When a call has used up its budget of wall clock, it gets
/// `budget` once more, and is cut when its thread was computing for half of that time. So a loop
/// is cut after two budgets, and a call that is in time costs nothing.
pub(super) fn watch_over(store: &mut Store<View>, budget: Duration) {
    store.epoch_deadline_callback(move |call| judge(call, budget));
}

fn judge(mut call: StoreContextMut<'_, View>, budget: Duration) -> Result<UpdateDeadline> {
    let computed = thread_time();
    let overtime = &mut call.data_mut().overtime;
    let idle = overtime.is_none_or(|since| computed.saturating_sub(since) < budget / 2);
    // Measured from the first time on: who is slow a little at a time is cut as well.
    overtime.get_or_insert(computed);
    Ok(if idle { UpdateDeadline::Continue(ticks(budget)) } else { UpdateDeadline::Interrupt })
}

/// How long the processor has worked for this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Neither part is ever negative or out of range: POSIX.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::thread_time;

    #[test]
    fn only_work_counts() {
        let before = thread_time();
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        let waited = thread_time();
        assert!((waited - before).as_millis() < 15, "waiting is no work");
        while thread_time() == waited {}
        assert!(thread_time() > waited);
    }
}
