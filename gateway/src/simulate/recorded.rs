//! A recording as a list of requests.

use std::collections::HashMap;

use super::arrivals::Traced;
use crate::policy::recording::{Answer, Event, Pick, Recording};

/// The requests of a recording: its first attempts, at their times. How long one took is known if
/// the end of its attempt was recorded.
pub(super) fn requests(recording: &Recording) -> Vec<Traced> {
    let ends = recording.events.iter().filter_map(|event| match event {
        Event::Done(done) => {
            let began = done.now.saturating_sub(done.total.into());
            Some(((done.instance, done.backend, began), f64::from(done.total) / 1e6))
        }
        _ => None,
    });
    let ends: HashMap<_, _> = ends.collect();
    let took = |pick: &Pick| match pick.answer {
        Answer::Backend(index) => ends.get(&(pick.instance, index, pick.ask.now())).copied(),
        _ => None,
    };
    let first = recording.picks().filter(|pick| pick.ask.attempt() == 0);
    first.map(|pick| traced(pick, took(pick))).collect()
}

fn traced(pick: &Pick, took: Option<f64>) -> Traced {
    let facts = pick.request.facts(pick.ask.body_length());
    Traced {
        at: pick.ask.now().saturating_mul(1_000),
        method: facts.method,
        target: facts.target,
        host: facts.host.to_vec().into(),
        headers: facts.headers,
        body_length: facts.body_length,
        client: facts.client,
        key: facts.key.into(),
        took,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_recorded_arrivals() {
        let words =
            ["{\"pick\":", "\"now\":", "\"total\":", "18446744073709551615", "4294967295", "null", "\n"];
        crate::fuzz::fuzz_times(5_000, "recording", &words, |input| {
            let Ok(recording) = Recording::read(&String::from_utf8_lossy(input)) else { return };
            assert!(requests(&recording).len() <= recording.picks().count());
        });
    }
}
