//! The story of a request: from its head, checked, to the end of its answer, counted.

mod admit;
mod answer;
mod attempt;
mod body;
mod in_force;
mod pump;
mod request_body;
mod request_head;
mod retry;
mod story;
mod target;
mod values;
mod worker;

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

pub use body::Body;
pub use in_force::{Generation, HeaderRule, InForce, Route, Upstream};
pub use worker::{Traffic, Worker};

use crate::listen::{Handler, Peer};
use answer::Refusal;
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
        handle(Rc::clone(&self.0), Rc::clone(peer), request)
    }
}

/// Serves one request: admit, route, then pick and try until a backend answers, then respond.
/// What was begun is recorded by guards, whichever way this ends.
async fn handle(worker: Rc<Worker>, peer: Rc<Peer>, request: Request<Incoming>) -> Response<Body> {
    let mut story = Story::begin(worker, peer, &request);
    let mut response = match serve(&mut story, request).await {
        Ok(response) => response,
        Err(refusal) => story.refuse(refusal),
    };
    story.finish(&mut response);
    if story.is_told() {
        response.body_mut().keep(Box::new(story));
    }
    response
}

async fn serve(story: &mut Story, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let mut body = story.admit(request)?;
    story.take_route(&mut body)?;
    loop {
        let chosen = story.pick()?;
        match story.attempt(&chosen, &mut body).await {
            Ok(answered) => return Ok(story.relay(answered, body)),
            Err(failure) => story.consider_retry(failure, chosen, &body)?,
        }
    }
}

/// A body that is already whole.
fn whole(bytes: impl Into<Bytes>) -> Body {
    Body::whole(bytes.into())
}
