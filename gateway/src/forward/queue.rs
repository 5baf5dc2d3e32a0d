//! Waiting for a backend with room.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use http::StatusCode;

use super::answer::Refusal;
use super::pick::{Chosen, Picked};
use super::request_body::RequestBody;
use super::retry::OVERDUE;
use super::story::Story;
use crate::stats::clock;

impl Story {
    /// Does somebody wait whom this request must not overtake?
    pub(super) fn must_queue(&self) -> bool {
        let upstream = self.upstream();
        upstream.settings.queue.length > 0 && !self.queued && !upstream.queue.is_empty()
    }

    /// Waits until a backend has room, in the order of arrival.
    ///
    /// # Errors
    /// There is no queue, it is full, or nothing became free in time: 503.
    pub(super) async fn wait_for_room(&mut self, body: &RequestBody) -> Result<Chosen, Refusal> {
        let in_force = Rc::clone(&self.in_force);
        let upstream = &in_force.generation.upstreams[self.upstream];
        let limits = upstream.settings.queue;
        if limits.length == 0 {
            return Err(busy("every backend has as many requests as it may (max_conns)"));
        }
        let place = upstream.queue.enter(limits.length);
        let place = place.ok_or_else(|| busy("too many requests wait for a backend (queue)"))?;
        let alarm = self.worker.alarms.alarm();
        self.deadline.set(&alarm, limits.timeout);
        self.queued = true;
        loop {
            let mut turn = pin!(place.turn());
            turn.as_mut().enable();
            if let Picked::Backend(chosen) = self.pick(body, clock::now())? {
                self.queued = false;
                return Ok(chosen);
            }
            let turn_came = poll_fn(|cx| match turn.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => alarm.poll(cx).map(|()| false),
            });
            if !turn_came.await {
                place.expire();
                if self.deadline.has_passed() {
                    return Err(Refusal::mild_limit(StatusCode::GATEWAY_TIMEOUT, OVERDUE));
                }
                return Err(busy("no backend had room in time (queue_timeout)"));
            }
        }
    }
}

fn busy(reason: &'static str) -> Refusal {
    Refusal::mild_limit(StatusCode::SERVICE_UNAVAILABLE, reason)
}
