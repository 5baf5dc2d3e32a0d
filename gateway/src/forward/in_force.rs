//! What is in force: one consistent configuration, shared by all workers and never changed.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::{HeaderRule, Limits, Page, Pages, Rewrite, Sticky};
use crate::compress::Compression;
use crate::policy::Picker;
use crate::route::{Expression, Table};
use crate::stats::{BackendStats, Holder, UpstreamStats, clock};
use crate::template::{Template, Variable};
use crate::upstream::health::{Health, Ward};
use crate::upstream::{Backend, Budget, Queue, Settings};

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
    /// What is answered in place of errors, where no route is known.
    pub error_pages: Option<Arc<Pages>>,
    /// All limits, whether a route has them or not.
    pub limits: Limits,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// As configured, for the log.
    pub name: Box<str>,
    /// Who answers.
    pub to: To,
    /// Most bytes of a request's body (nginx `client_max_body_size`).
    pub max_body: u64,
    /// How long a request may take, from its first byte to the last of its answer.
    pub timeout: Option<Duration>,
    /// What happens to fields on the way to the backend, the upstream's rules included.
    pub request_headers: Box<[HeaderRule]>,
    /// What happens to fields on the way to the client, the upstream's rules included.
    pub response_headers: Box<[HeaderRule]>,
    /// The expression that its path matches, if it has one: where `$1` comes from.
    pub expression: Option<Expression>,
    /// Another path for the backend.
    pub rewrite: Option<Rewrite>,
    /// What is answered in place of errors.
    pub error_pages: Option<Arc<Pages>>,
    /// In place of the backends' errors too (nginx `proxy_intercept_errors`)?
    pub intercept_errors: bool,
    /// Which answers are compressed.
    pub compression: Option<Arc<Compression>>,
    /// What its requests are held to.
    pub limits: Limits,
}

/// Who answers the requests of a route.
#[derive(Clone, Debug)]
pub enum To {
    /// A backend of the upstream with this index.
    Upstream(usize),
    /// The gateway itself.
    Page(Page),
}

impl Route {
    /// A route to an upstream that changes nothing and has no limits.
    #[must_use]
    pub fn to_upstream(name: &str, upstream: usize) -> Self {
        Self {
            name: name.into(),
            to: To::Upstream(upstream),
            max_body: u64::MAX,
            timeout: None,
            request_headers: Box::default(),
            response_headers: Box::default(),
            expression: None,
            rewrite: None,
            error_pages: None,
            intercept_errors: false,
            compression: None,
            limits: Limits::default(),
        }
    }
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
    /// Who of its backends is well.
    pub health: Arc<Health>,
    /// Who waits for a backend with room.
    pub queue: Arc<Queue>,
    /// What requests are hashed by.
    pub hash_key: Option<Template>,
    /// Clients are sent to the backend that was picked, instead of being served from it.
    pub redirect: Option<Redirect>,
    /// How sessions stay at a backend; none: they do not.
    pub sticky: Option<Sticky>,
}

impl Upstream {
    /// Its backends and the rules for their health.
    #[must_use]
    pub fn ward(&self) -> Ward<'_> {
        Ward { backends: &self.backends, ejection: self.settings.ejection.as_ref() }
    }
}

/// How clients are sent to backends.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The status; none: 302 for `GET` and `HEAD`, for others 307, which keeps the method.
    pub status: Option<StatusCode>,
    /// What stands before the path in `Location`, for each backend: `https://a.example`.
    pub public: Box<[Box<str>]>,
}

impl Route {
    /// Does one of its header rules use this variable?
    #[must_use]
    pub fn uses(&self, variable: &Variable) -> bool {
        let rules = self.request_headers.iter().chain(&self.response_headers);
        rules.filter_map(|rule| rule.action.template()).any(|value| value.uses(variable))
    }
}

/// A generation in one worker: what all workers share, and this worker's instances.
#[derive(Debug)]
pub struct InForce {
    /// The shared part.
    pub generation: Arc<Generation>,
    /// Who picks for each upstream, by the upstream's index.
    pub pickers: Box<[RefCell<Picker>]>,
    /// What is left for retries, by the upstream's index.
    pub(super) budgets: Box<[Budget]>,
}

impl InForce {
    /// Puts a generation in force with the pickers that were prepared for this worker.
    #[must_use]
    pub fn new(generation: Arc<Generation>, pickers: Vec<Picker>) -> Rc<Self> {
        let pickers = pickers.into_iter().map(RefCell::new).collect();
        let budgets = generation.upstreams.iter().map(|_| Budget::new(clock::now())).collect();
        Rc::new(Self { generation, pickers, budgets })
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

    /// The backend, to be held by what outlives the request.
    pub(super) fn shared_backend(&self) -> &Arc<Backend> {
        &self.upstream().backends[self.backend]
    }

    /// Where the backend stands among the upstream's.
    pub(super) fn place(&self) -> usize {
        self.backend
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

impl Holder for Standing {
    fn released(&self) {
        let upstream = self.upstream();
        if upstream.settings.queue.length > 0 {
            upstream.queue.make_room();
        }
    }
}
