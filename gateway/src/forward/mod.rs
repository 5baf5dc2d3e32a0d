//! The story of a request: from its head, checked, to the end of its answer, counted.

mod admit;
mod answer;
mod attempt;
mod body;
mod client;
mod complaints;
mod compressed;
mod deadline;
mod exchange;
mod head_fields;
mod header_rule;
mod http2_head;
mod in_force;
mod kept;
mod limits;
mod page;
mod pick;
mod pump;
mod queue;
mod redirect;
mod request_body;
mod request_head;
mod retry;
mod rewrite;
mod sticky;
mod story;
mod target;
mod values;
mod worker;

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};

pub use body::Body;
pub use header_rule::{HeaderAction, HeaderRule};
pub use in_force::{Generation, InForce, Redirect, Route, To, Upstream};
pub use limits::{ConnectionLimit, Limits, RateLimit};
pub use page::{Content, Page, Pages};
pub use rewrite::Rewrite;
pub use sticky::{Inserted, Learnt, Source, Sticky};
pub use worker::{Traffic, Worker};

use crate::listen::{Handler, Incoming, Peer, Unreadable};
use answer::Refusal;
use pick::Picked;
use request_body::RequestBody;
use story::Story;

/// What a worker hands its requests to.
#[derive(Clone, Debug)]
pub struct Forward(pub Rc<Worker>);

impl Handler for Forward {
    type Body = Body;

    fn handle(
        &self,
        peer: &Rc<Peer>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Body>> + 'static {
        // What needs no waiting is done before there is a future, which then has less to hold.
        let mut story = Box::new(Story::begin(Rc::clone(&self.0), Rc::clone(peer)));
        let body = story.receive(request);
        handle(story, body)
    }

    fn refuse(&self, peer: &Rc<Peer>, unreadable: Unreadable) -> Response<Body> {
        let Unreadable { status, reason } = unreadable;
        let mut story = Box::new(Story::begin(Rc::clone(&self.0), Rc::clone(peer)));
        story.unreadable = true;
        respond(story, Err(Refusal::closing(status, reason)))
    }
}

/// Serves one request that was admitted and routed, or not: pick and try until a backend
/// answers, then respond. What was begun is recorded by guards, whichever way this ends.
async fn handle(mut story: Box<Story>, body: Result<RequestBody, Refusal>) -> Response<Body> {
    let answered = match body {
        Ok(body) => serve(&mut story, body).await,
        Err(refusal) => Err(refusal),
    };
    respond(story, answered)
}

fn respond(mut story: Box<Story>, answered: Result<Response<Body>, Refusal>) -> Response<Body> {
    let mut response = answered.unwrap_or_else(|refusal| story.refuse(refusal));
    story.finish(&mut response);
    if !story.held.is_empty() {
        response.body_mut().hold(std::mem::take(&mut story.held));
    }
    if story.is_told() {
        response.body_mut().keep(story);
    }
    response
}

async fn serve(story: &mut Story, mut body: RequestBody) -> Result<Response<Body>, Refusal> {
    if let Some(route) = story.limited() {
        Box::pin(story.hold_to(&route.limits)).await?;
    }
    if let Some(answer) = story.answer_itself() {
        return Ok(answer);
    }
    loop {
        let chosen = match story.pick(&body, story.now())? {
            Picked::Backend(chosen) => chosen,
            // Boxed, because it is rare and would make the future of every request larger.
            Picked::Full => Box::pin(story.wait_for_room(&body)).await?,
        };
        let who = chosen.who;
        if let Some(answer) = story.redirect(who.backend) {
            return Ok(answer);
        }
        match story.attempt(chosen, &mut body).await {
            Ok(answered) => match story.accept(answered, &mut body) {
                Some(answered) => return Ok(story.relay(answered, body)),
                None => continue,
            },
            Err(failure) => story.consider_retry(failure, who, &mut body)?,
        }
    }
}

/// A body that is already whole.
fn whole(bytes: impl Into<Bytes>) -> Body {
    Body::whole(bytes.into())
}
