//! What each path answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use percent_encoding::percent_decode_str;

use super::{Gateway, Wish, metrics};

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The control socket: everything is allowed.
    Socket,
    /// The TCP address: pages only.
    Tcp,
}

type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";

/// Method, path and what is to be found there.
static ENDPOINTS: [(Method, &str, &str); 15] = [
    (Method::GET, "/", "this list"),
    (Method::GET, "/ready", "200 while new requests are welcome, 503 while the gateway drains"),
    (Method::GET, "/state", "everything there is to know, as JSON"),
    (Method::GET, "/metrics", "the same for Prometheus"),
    (
        Method::POST,
        "/reload",
        "put the configuration as it is on disk in force; 422 and the reasons if it is bad",
    ),
    (
        Method::POST,
        "/record",
        "record picks; answers with the recording (?upstream=, requests=, seconds=, headers=)",
    ),
    (Method::POST, "/explain", "explain the next pick, as JSON (?upstream=, seconds=)"),
    (Method::POST, "/promote", "let the canary decide for all requests (?upstream=)"),
    (Method::POST, "/rollback", "let the canary decide for none (?upstream=)"),
    (
        Method::POST,
        "/drain",
        "take no new clients to a backend: `?upstream=NAME&backend=ADDRESS`; 422 if there is none",
    ),
    (Method::POST, "/undrain", "take them again"),
    (Method::POST, "/reopen", "open the log files again"),
    (Method::POST, "/quit", "stop when the last request has ended"),
    (Method::POST, "/stop", "stop at once"),
    (Method::POST, "/upgrade", "start the program anew, hand the listeners over, and quit"),
];

/// Answers a request.
pub(super) async fn answer<B>(request: &Request<B>, door: Door, gateway: &Arc<dyn Gateway>) -> Answer {
    let path = request.uri().path();
    let Some((method, ..)) = ENDPOINTS.iter().find(|(_, known, _)| *known == path) else {
        let list = format!("there is nothing at `{path}`; this is what there is:\n\n{}", list(door));
        return text(StatusCode::NOT_FOUND, list);
    };
    let asked = request.method();
    if asked != method && !(asked == Method::HEAD && *method == Method::GET) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("ask for `{path}` with {method}"));
        answer.headers_mut().insert(ALLOW, allowed(method));
        return answer;
    }
    if *method == Method::POST && door == Door::Tcp {
        let why = "commands are taken at the control socket only";
        return text(StatusCode::FORBIDDEN, why.into());
    }
    match path {
        "/reload" => in_its_time(gateway, |gateway| gateway.reload()).await,
        "/upgrade" => in_its_time(gateway, |gateway| gateway.upgrade()).await,
        "/record" => wished(request.uri().query(), gateway, TEXT, |g, w| g.record(w)).await,
        "/explain" => wished(request.uri().query(), gateway, "application/json", |g, w| g.explain(w)).await,
        "/promote" => wished(request.uri().query(), gateway, TEXT, |g, w| g.decide(w, true)).await,
        "/rollback" => wished(request.uri().query(), gateway, TEXT, |g, w| g.decide(w, false)).await,
        "/drain" => drain(gateway.as_ref(), request.uri().query(), true),
        "/undrain" => drain(gateway.as_ref(), request.uri().query(), false),
        "/reopen" => done(|| gateway.reopen(), "the log files are being opened again"),
        "/quit" => done(|| gateway.quit(), "quitting: requests in flight are served to their end"),
        "/stop" => done(|| gateway.stop(), "stopping"),
        "/state" => state(gateway.as_ref()),
        "/metrics" => scrape(gateway.as_ref()),
        "/ready" if gateway.snapshot().draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining".into()),
        "/ready" => text(StatusCode::OK, "ready".into()),
        _ => text(StatusCode::OK, list(door)),
    }
}

/// Policies are compiled meanwhile: it gets a thread on which it may take its time.
async fn in_its_time(
    gateway: &Arc<dyn Gateway>,
    command: impl FnOnce(&dyn Gateway) -> Result<String, String> + Send + 'static,
) -> Answer {
    let gateway = Arc::clone(gateway);
    match tokio::task::spawn_blocking(move || command(&*gateway)).await {
        Ok(Ok(sentence)) => text(StatusCode::OK, sentence),
        Ok(Err(reasons)) => text(StatusCode::UNPROCESSABLE_ENTITY, reasons),
        Err(broken) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the command broke off: {broken}")),
    }
}

/// A command that waits for requests to come.
async fn wished(
    query: Option<&str>,
    gateway: &Arc<dyn Gateway>,
    content_type: &'static str,
    act: fn(&dyn Gateway, &Wish) -> Result<String, String>,
) -> Answer {
    let wish = match Wish::read(query.unwrap_or_default()) {
        Ok(wish) => wish,
        Err(why) => return text(StatusCode::BAD_REQUEST, why),
    };
    let gateway = Arc::clone(gateway);
    match tokio::task::spawn_blocking(move || act(gateway.as_ref(), &wish)).await {
        Ok(Ok(done)) => typed(StatusCode::OK, content_type, done),
        Ok(Err(why)) => text(StatusCode::UNPROCESSABLE_ENTITY, why),
        Err(broken) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("it broke off: {broken}")),
    }
}

/// Whom it concerns stands in the query.
fn drain(gateway: &dyn Gateway, query: Option<&str>, drain: bool) -> Answer {
    let named = |name: &str| {
        let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
        values.next().map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    let (Some(upstream), Some(backend)) = (named("upstream"), named("backend")) else {
        let help = "say which one: `?upstream=NAME&backend=ADDRESS`, as in the configuration";
        return text(StatusCode::BAD_REQUEST, help.into());
    };
    match gateway.drain(&upstream, &backend, drain) {
        Ok(sentence) => text(StatusCode::OK, sentence),
        Err(reason) => text(StatusCode::UNPROCESSABLE_ENTITY, reason),
    }
}

fn done(command: impl FnOnce(), sentence: &str) -> Answer {
    command();
    text(StatusCode::OK, sentence.into())
}

fn state(gateway: &dyn Gateway) -> Answer {
    match serde_json::to_string_pretty(&gateway.snapshot()) {
        Ok(json) => typed(StatusCode::OK, "application/json", json),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn scrape(gateway: &dyn Gateway) -> Answer {
    match metrics::render(gateway.snapshot()) {
        Ok(lines) => typed(StatusCode::OK, metrics::CONTENT_TYPE, lines),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn list(door: Door) -> String {
    let shown = ENDPOINTS.iter().filter(|(method, ..)| door == Door::Socket || *method == Method::GET);
    let lines = shown.map(|(method, path, meaning)| format!("{:<5} {path:<9} {meaning}\n", method.as_str()));
    format!("Pointsman\n\n{}", lines.collect::<String>())
}

fn allowed(method: &Method) -> HeaderValue {
    HeaderValue::from_static(if *method == Method::GET { "GET, HEAD" } else { "POST" })
}

fn text(status: StatusCode, mut text: String) -> Answer {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    typed(status, TEXT, text)
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
