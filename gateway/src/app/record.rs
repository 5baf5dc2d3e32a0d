//! What is asked for over the control socket about one upstream's policy: recording and explaining
//! picks, promoting a canary and sending it back.

use std::sync::Arc;

use super::control::Control;
use super::shared::Shared;
use crate::admin::Wish;
use crate::policy::Policy;
use crate::policy::recording::{Recorders, Recording, Session, Summary};
use crate::stats::clock;

/// Most bytes of a recording: it is gathered in memory, and answered as a whole.
const ROOM: u64 = 48 << 20;

/// A recording that has begun.
struct Begun {
    upstream: Arc<str>,
    policy: Arc<Policy>,
    options: String,
    generation: u64,
}

/// Records what the wish says. Takes as long as the requests take to come.
pub(super) fn record(gateway: &Shared, wish: &Wish) -> Result<String, String> {
    let (begun, summary) = gather(gateway, wish)?;
    let Summary { text, requests, full } = summary;
    let end = if full { ": there is no room for more" } else { "" };
    let (upstream, policy) = (&begun.upstream, begun.policy.name());
    tracing::info!("upstream {upstream}: {requests} requests of policy {policy} were recorded{end}");
    Ok(text)
}

/// Explains the next pick, as JSON: records it, and asks another instance on this thread.
pub(super) fn explain(gateway: &Shared, wish: &Wish) -> Result<String, String> {
    let wish = Wish { requests: 1, ..wish.clone() };
    let (begun, summary) = gather(gateway, &wish)?;
    if summary.requests == 0 {
        let (upstream, seconds) = (&begun.upstream, wish.patience.as_secs());
        return Err(format!("no request was picked for in upstream `{upstream}` within {seconds} seconds"));
    }
    let explained = Recording::read(&summary.text)?.explain(&begun.policy, 0)?;
    serde_json::to_string_pretty(&explained).map_err(|error| error.to_string())
}

/// Lets the canary of an upstream decide for all requests, or for none.
pub(super) fn decide(gateway: &Shared, wish: &Wish, promote: bool) -> Result<String, String> {
    let control = gateway.control();
    let making = &control.makings()[control.upstream(wish.upstream.as_deref())?];
    let upstream = &making.upstream;
    let canary = making.canary.as_ref().ok_or_else(|| format!("upstream `{upstream}` has no canary"))?;
    let (name, version) = (canary.policy.name(), canary.policy.version());
    Ok(if promote {
        canary.book.promote("an operator's command", clock::now());
        format!(
            "upstream {upstream}: {name} {version} decides for all requests; to keep it, make it the policy and reload"
        )
    } else {
        canary.book.go_back("an operator's command", clock::now());
        format!("upstream {upstream}: {name} {version} decides for no request until the next reload")
    })
}

fn gather(gateway: &Shared, wish: &Wish) -> Result<(Begun, Summary), String> {
    let (recorders, lines) = Session::open(wish.requests, ROOM, wish.headers);
    let begun = gateway.control().begin_recording(wish.upstream.as_deref(), &recorders)?;
    // The recording is over when all recorders are gone, this one too.
    drop(recorders);
    let summary = lines.gather(&begun.upstream, &begun.policy, &begun.options, wish.patience);
    gateway.control().end_recording(&begun);
    Ok((begun, summary))
}

impl Control {
    /// Lets all workers record the picks of an upstream, or of the only one.
    fn begin_recording(&mut self, upstream: Option<&str>, recorders: &Recorders) -> Result<Begun, String> {
        let index = self.upstream(upstream)?;
        let making = &self.makings()[index];
        let name = Arc::clone(&making.upstream);
        if self.recording.contains(&name) {
            return Err(format!(
                "the picks of upstream `{name}` are being recorded already: wait for its end"
            ));
        }
        let policy = making.roster.serving();
        let policy =
            policy.ok_or_else(|| format!("upstream `{name}`: no policy serves, only the fallback"))?;
        let begun = Begun {
            upstream: Arc::clone(&name),
            policy,
            options: making.options.clone(),
            generation: self.generation().number,
        };
        self.recording.push(name);
        self.renew_pickers(index, Some(recorders));
        Ok(begun)
    }

    /// Lets the workers go on as before. After a reload they do already.
    fn end_recording(&mut self, begun: &Begun) {
        self.recording.retain(|upstream| *upstream != begun.upstream);
        if self.generation().number == begun.generation
            && let Ok(index) = self.upstream(Some(&begun.upstream))
        {
            self.renew_pickers(index, None);
        }
    }

    /// Index of the upstream of this name; of the only one without a name.
    fn upstream(&self, name: Option<&str>) -> Result<usize, String> {
        let names: Vec<&str> = self.makings().iter().map(|making| &*making.upstream).collect();
        match name {
            None if names.len() == 1 => Ok(0),
            None => Err(format!("say which upstream: {}", names.join(", "))),
            Some(name) => names
                .iter()
                .position(|known| *known == name)
                .ok_or_else(|| format!("there is no upstream `{name}`; there are: {}", names.join(", "))),
        }
    }
}
