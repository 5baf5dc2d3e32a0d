//! Load reports in answers: ORCA, the Open Request Cost Aggregation of xDS.

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::stats::Report;

/// Where a backend reports its load
/// (Envoy, `source/common/orca/orca_parser.cc`; gRPC proposal A51 sends the same in trailers).
const FIELD: &str = "endpoint-load-metrics";

/// Reads the report of an answer that came at time `now`. Two of the formats that Envoy knows are
/// read: `TEXT cpu_utilization=0.3,rps_fractional=120` and `JSON {"cpu_utilization": 0.3}`. None
/// when there is no report, or it says nothing of use.
#[must_use]
pub fn load_report(headers: &HeaderMap, now: u64) -> Option<Report> {
    let value = headers.get(FIELD)?.to_str().ok()?.trim();
    let (format, content) = value.split_once(' ')?;
    match format {
        "TEXT" => report(|name| field(content, name)?.parse().ok(), now),
        "JSON" => {
            let fields: Map<String, Value> = serde_json::from_str(content).ok()?;
            report(|name| fields.get(name)?.as_f64(), now)
        }
        _ => None,
    }
}

/// A value of `name=value,name=value`.
fn field<'a>(content: &'a str, name: &str) -> Option<&'a str> {
    let pairs = content.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn report(number: impl Fn(&str) -> Option<f64>, now: u64) -> Option<Report> {
    let positive = |name: &str| number(name).filter(|number| *number > 0.0 && number.is_finite());
    let load = positive("application_utilization").or_else(|| positive("cpu_utilization"));
    let requests = positive("rps_fractional").or_else(|| positive("rps"));
    if load.is_none() && requests.is_none() {
        return None;
    }
    // `as` saturates.
    let scaled = |number: Option<f64>, by: f64| (number.unwrap_or(0.0) * by).round() as u32;
    Some(Report {
        load: scaled(load, 1e6),
        requests: scaled(requests, 1e3),
        errors: scaled(positive("eps"), 1e3),
        at: now,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::load_report;
    use crate::stats::Report;

    fn read(value: &'static str) -> Option<Report> {
        let mut headers = HeaderMap::new();
        headers.insert("endpoint-load-metrics", HeaderValue::from_static(value));
        load_report(&headers, 7)
    }

    #[test]
    fn both_formats_are_read() {
        let expected = Report { load: 300_000, requests: 120_500, errors: 2_000, at: 7 };
        for value in [
            "TEXT cpu_utilization=0.3,rps_fractional=120.5,eps=2",
            "TEXT mem_utilization=0.9, cpu_utilization = 0.3 ,named_metrics.queue=4,rps_fractional=120.5,eps=2.0",
            r#"JSON {"cpu_utilization": 0.3, "rps_fractional": 120.5, "eps": 2, "named_metrics": {"queue": 4}}"#,
        ] {
            assert_eq!(read(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn the_application_knows_better_than_its_processor() {
        let load = |value| read(value).map(|report| report.load);
        assert_eq!(load("TEXT application_utilization=0.7,cpu_utilization=0.3"), Some(700_000));
        assert_eq!(load("TEXT application_utilization=0,cpu_utilization=0.3"), Some(300_000));
        assert_eq!(load("TEXT cpu_utilization=1.5"), Some(1_500_000), "more than it can");
    }

    #[test]
    fn what_says_nothing_is_no_report() {
        for value in [
            "",
            "TEXT",
            "TEXT ",
            "TEXT cpu_utilization",
            "TEXT cpu_utilization=much",
            "TEXT cpu_utilization=-1",
            "TEXT cpu_utilization=inf",
            "JSON [0.3]",
            "JSON {\"cpu_utilization\": \"0.3\"}",
            "BIN AAAA",
            "cpu_utilization=0.3",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(load_report(&HeaderMap::new(), 7), None);
    }

    #[test]
    fn absurd_numbers_saturate() {
        assert_eq!(read("TEXT cpu_utilization=1e300").map(|report| report.load), Some(u32::MAX));
    }

    #[test]
    fn fuzz_load_report() {
        let words = [
            "TEXT ",
            "JSON ",
            "cpu_utilization",
            "application_utilization",
            "rps",
            "eps",
            "=",
            ",",
            "1e9",
            "-1",
            "inf",
            "{",
            "}",
            "\":",
        ];
        crate::fuzz::fuzz("load_report", &words, |input| {
            let Ok(value) = HeaderValue::from_bytes(input) else { return };
            let headers = HeaderMap::from_iter([(HeaderName::from_static(super::FIELD), value)]);
            let Some(report) = load_report(&headers, 7) else { return };
            assert_eq!(report.at, 7);
            assert!(input.trim_ascii().starts_with(b"TEXT ") || input.trim_ascii().starts_with(b"JSON "));
        });
    }
}
