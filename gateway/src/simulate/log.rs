//! Reading an access log as a list of requests.

use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use serde_json::Value;

use super::arrivals::Traced;

const SECOND: u64 = 1_000_000_000;

/// Reads the lines of a log, `combined` or the gateway's `json`. Times in whole seconds are spread
/// evenly over each second.
///
/// # Errors
/// The first line that is neither.
pub(super) fn read(text: &str) -> Result<Vec<Traced>, String> {
    let mut requests = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let request = if line.starts_with('{') { of_json(line) } else { of_combined(line) };
        requests.push(request.ok_or_else(|| {
            format!("line {} is neither of the format `combined` nor of the gateway's `json`", number + 1)
        })?);
    }
    if requests.is_empty() {
        return Err("there is no request in it".into());
    }
    if requests.iter().all(|request| request.at.is_multiple_of(SECOND)) {
        spread(&mut requests);
    }
    // A log tells when requests ended.
    for request in &mut requests {
        let took = (request.took.unwrap_or(0.0) * SECOND as f64) as u64;
        request.at = request.at.saturating_sub(took);
    }
    Ok(requests)
}

fn of_json(line: &str) -> Option<Traced> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| line[key].as_str().filter(|text| !text.is_empty());
    let took = line["request_time"].as_f64();
    request(
        text("time")?.parse().ok()?,
        text("method").unwrap_or("GET"),
        text("uri")?,
        text("host").unwrap_or_default(),
        text("remote_addr").unwrap_or_default(),
        took,
    )
}

/// `192.0.2.1 - - [10/Oct/2026:13:55:36 +0200] "GET /x HTTP/1.1" 200 2326 "-" "curl"`
fn of_combined(line: &str) -> Option<Traced> {
    let client = line.split(' ').next()?;
    let (_, rest) = line.split_once('[')?;
    let (time, rest) = rest.split_once(']')?;
    let time = jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", time).ok()?.to_timestamp().ok()?;
    let asked = rest.split('"').nth(1)?;
    let mut words = asked.split(' ');
    request(time, words.next()?, words.next()?, "", client, None)
}

fn request(
    at: Timestamp,
    method: &str,
    target: &str,
    host: &str,
    client: &str,
    took: Option<f64>,
) -> Option<Traced> {
    Some(Traced {
        at: u64::try_from(at.as_nanosecond()).ok()?,
        method: Method::from_bytes(method.as_bytes()).ok()?,
        target: target.parse().unwrap_or_else(|_| Uri::from_static("/")),
        host: host.as_bytes().into(),
        headers: HeaderMap::new(),
        body_length: None,
        client: client.parse().ok(),
        key: target.as_bytes().into(),
        took,
    })
}

/// Moves requests of the same second apart.
fn spread(requests: &mut [Traced]) {
    requests.sort_by_key(|request| request.at);
    for second in requests.chunk_by_mut(|one, other| one.at == other.at) {
        let number = second.len() as u64;
        second
            .iter_mut()
            .zip(0..)
            .for_each(|(request, place)| request.at = request.at.saturating_add(SECOND * place / number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = concat!(
        "192.0.2.1 - - [10/Oct/2026:13:55:36 +0200] \"GET /a?x=1 HTTP/1.1\" 200 2326 \"-\" \"curl\"\n",
        "192.0.2.2 - - [10/Oct/2026:13:55:36 +0200] \"POST /b HTTP/1.1\" 200 2326 \"-\" \"curl\"\n",
        "192.0.2.3 - - [10/Oct/2026:13:55:38 +0200] \"GET /c HTTP/1.1\" 200 2326 \"-\" \"curl\"\n",
    );

    #[test]
    fn requests_of_one_second_are_spread_over_it() {
        let requests = read(COMBINED).unwrap();
        let offsets: Vec<_> = requests.iter().map(|r| (r.at - requests[0].at) / (SECOND / 2)).collect();
        assert_eq!(offsets, [0, 1, 4]);
        assert_eq!((requests[1].method.as_str(), requests[1].target.path()), ("POST", "/b"));
        assert_eq!(requests[2].client, "192.0.2.3".parse().ok());
    }

    #[test]
    fn a_log_of_the_gateway_tells_when_requests_began() {
        let line = r#"{"time":"2026-10-10T13:55:36.500+02:00","remote_addr":"::1","method":"GET","uri":"/a","request_time":0.250,"host":"h"}"#;
        let request = read(line).unwrap().remove(0);
        assert_eq!(request.at % SECOND, SECOND / 4);
        assert_eq!((request.took, &*request.host), (Some(0.25), &b"h"[..]));
    }

    #[test]
    fn the_line_that_cannot_be_read_is_named() {
        let error = read(&format!("{COMBINED}nonsense\n")).unwrap_err();
        assert!(error.starts_with("line 4 "), "{error}");
    }

    #[test]
    fn fuzz_access_log() {
        let words = [
            "[",
            "]",
            "\"",
            "\n",
            "{\"time\":",
            "\"uri\":",
            "request_time",
            "10/Oct/2026:13:55:36 +0200",
            "2554-07-21T23:34:33Z",
            "9999-12-31T23:59:59Z",
            "1e300",
        ];
        crate::fuzz::fuzz_times(5_000, "access_log", &words, |input| {
            match read(&String::from_utf8_lossy(input)) {
                Ok(requests) => assert!(!requests.is_empty()),
                Err(why) => {
                    assert!(why.starts_with("line ") || why.starts_with("there is no request"), "{why}");
                }
            }
        });
    }
}
