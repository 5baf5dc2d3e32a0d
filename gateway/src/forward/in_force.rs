//! What is in force: one consistent configuration, shared by all workers and never changed.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::policy::Picker;
use crate::route::Table;
use crate::stats::{BackendStats, UpstreamStats};
use crate::template::{Template, Variable};
use crate::upstream::{Backend, Settings};

/// One generation. A request keeps the generation that it began with.
#[derive(Debug)]
pub struct Generation {
    /// Counts up with every reload that took effect.
    pub number: u64,
    /// Host and path to route.
    pub routes: Table<Arc<Route>>,
    /// The upstreams; routes refer to them by index.
    pub upstreams: Box<[Upstream]>,
    /// Longest silence of a client that is sending a body (nginx `client_body_timeout`).
    pub body_timeout: Duration,
    /// Does the access log ask for this? What nobody asks for is not measured.
    pub explain: bool,
    /// Does the access log show fields of the answer?
    pub keep_answer_headers: bool,
    /// Are the picks of a request timed for the access log?
    pub time_picks: bool,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// As configured, for the log.
    pub name: Box<str>,
    /// Index of its upstream.
    pub upstream: usize,
    /// Most bytes of a request's body (nginx `client_max_body_size`).
    pub max_body: u64,
    /// Fields set or removed on the way to the backend, the upstream's included.
    pub request_headers: Box<[HeaderRule]>,
    /// Fields set or removed on the way to the client, the upstream's included.
    pub response_headers: Box<[HeaderRule]>,
}

/// Sets a field, or removes it.
#[derive(Clone, Debug)]
pub struct HeaderRule {
    /// The field.
    pub name: HeaderName,
    /// Its value; none removes it, and so does a value that renders to nothing.
    pub value: Option<Template>,
}

/// One upstream.
#[derive(Debug)]
pub struct Upstream {
    /// Its name.
    pub name: Arc<str>,
    /// Name of its policy.
    pub policy: Arc<str>,
    /// Limits towards its backends.
    pub settings: Settings,
    /// All its backends, in the order of the configuration.
    pub backends: Box<[Arc<Backend>]>,
    /// What is known of it as a whole.
    pub stats: Arc<UpstreamStats>,
    /// What requests are hashed by.
    pub hash_key: Option<Template>,
}

impl Route {
    /// Does one of its header rules use this variable?
    #[must_use]
    pub fn uses(&self, variable: &Variable) -> bool {
        self.request_headers
            .iter()
            .chain(&self.response_headers)
            .any(|rule| rule.value.as_ref().is_some_and(|value| value.uses(variable)))
    }
}

/// A generation in one worker: what all workers share, and this worker's instances.
#[derive(Debug)]
pub struct InForce {
    /// The shared part.
    pub generation: Arc<Generation>,
    /// Who picks for each upstream, by the upstream's index.
    pub pickers: Box<[RefCell<Picker>]>,
}

impl InForce {
    /// Puts a generation in force with the pickers that were prepared for this worker.
    #[must_use]
    pub fn new(generation: Arc<Generation>, pickers: Vec<Picker>) -> Rc<Self> {
        let pickers = pickers.into_iter().map(RefCell::new).collect();
        Rc::new(Self { generation, pickers })
    }
}

/// A backend, by where it stands in what is in force. A request holds this and not the backend:
/// a shared counter of references is a cache line that workers would fight over.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    in_force: Rc<InForce>,
    upstream: usize,
    backend: usize,
}

impl Standing {
    pub(super) fn new(in_force: &Rc<InForce>, upstream: usize, backend: usize) -> Self {
        Self { in_force: Rc::clone(in_force), upstream, backend }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.in_force.generation.upstreams[self.upstream]
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.upstream().backends[self.backend]
    }

    pub(super) fn picker(&self) -> &RefCell<Picker> {
        &self.in_force.pickers[self.upstream]
    }
}

impl Deref for Standing {
    type Target = BackendStats;

    fn deref(&self) -> &BackendStats {
        &self.backend().stats
    }
}
