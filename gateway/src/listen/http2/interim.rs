//! Answers before the answer (RFC 9110 section 15.2).

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Response, StatusCode};

/// Interim answers on their way to the client of one request by HTTP/2. Cheap to clone: all clones are
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Interim(Rc<RefCell<Vec<(StatusCode, HeaderMap)>>>);

impl Interim {
    /// Queues one.
    pub fn push(&self, status: StatusCode, headers: HeaderMap) {
        self.0.borrow_mut().push((status, headers));
    }

    /// Hands what is queued to the connection; before the final answer.
    pub(super) fn send(&self, respond: &mut SendResponse<Bytes>) {
        for (status, headers) in self.0.borrow_mut().drain(..) {
            let mut response = Response::new(());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            // Whoever cannot be told now has left; that is noticed elsewhere.
            drop(respond.send_informational(response));
        }
    }
}
