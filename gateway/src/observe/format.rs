//! What a line of the access log looks like.

use crate::template::{Escape, Template, Values, Variable, json};

/// How a request becomes a line.
#[derive(Clone, Debug)]
pub struct Format(Shape);

#[derive(Clone, Debug)]
enum Shape {
    Text(Template, Escape),
    Json(Vec<Field>),
}

/// nginx's `combined`, which is Apache's.
const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                        \"$http_referer\" \"$http_user_agent\"";

/// Keys of the JSON object, in order, and the variables they show. Those that are marked are
/// numbers; all others are strings. What has no value is `null`.
const JSON: [(&str, &str, Kind); 18] = [
    ("time", "time_iso8601", Kind::Text),
    ("remote_addr", "remote_addr", Kind::Text),
    ("method", "request_method", Kind::Text),
    ("uri", "request_uri", Kind::Text),
    ("protocol", "server_protocol", Kind::Text),
    ("status", "status", Kind::Number),
    ("body_bytes_sent", "body_bytes_sent", Kind::Number),
    ("request_time", "request_time", Kind::Number),
    ("referer", "http_referer", Kind::Text),
    ("user_agent", "http_user_agent", Kind::Text),
    ("x_forwarded_for", "http_x_forwarded_for", Kind::Text),
    ("host", "host", Kind::Text),
    ("upstream", "upstream_name", Kind::Text),
    ("upstream_addr", "upstream_addr", Kind::Text),
    ("upstream_status", "upstream_status", Kind::Text),
    ("upstream_response_time", "upstream_response_time", Kind::Text),
    ("attempts", "attempts", Kind::Number),
    ("policy", "policy", Kind::Text),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
}

#[derive(Clone, Debug)]
struct Field {
    /// What stands before the value: `{"time":` or `,"status":`.
    before: String,
    variable: Variable,
    kind: Kind,
}

impl Format {
    /// nginx's `combined`.
    #[must_use]
    pub fn combined() -> Self {
        let template = Template::parse(COMBINED).expect("a constant that a test parses");
        Self::text(template, Escape::Text)
    }

    /// One JSON object a line, with a fixed set of keys.
    #[must_use]
    pub fn json() -> Self {
        let fields = JSON.iter().enumerate().filter_map(|(index, &(key, variable, kind))| {
            let opening = if index == 0 { '{' } else { ',' };
            let before = format!("{opening}\"{key}\":");
            Some(Field { before, variable: Variable::from_name(variable)?, kind })
        });
        Self(Shape::Json(fields.collect()))
    }

    /// Any text, and how values are escaped in it: nginx's `log_format`.
    #[must_use]
    pub fn text(template: Template, escape: Escape) -> Self {
        Self(Shape::Text(template, escape))
    }

    /// Does a line show this variable?
    #[must_use]
    pub fn uses(&self, variable: &Variable) -> bool {
        self.uses_any(|used| used == variable)
    }

    /// Does a line show a variable of this kind?
    #[must_use]
    pub fn uses_any(&self, kind: impl Fn(&Variable) -> bool) -> bool {
        match &self.0 {
            Shape::Text(template, _) => template.variables().any(kind),
            Shape::Json(fields) => fields.iter().any(|field| kind(&field.variable)),
        }
    }

    /// Appends a line and its end.
    pub(super) fn line(&self, values: &(impl Values + ?Sized), out: &mut Vec<u8>) {
        match &self.0 {
            Shape::Text(template, escape) => template.render_escaped(*escape, values, out),
            Shape::Json(fields) => {
                fields.iter().for_each(|field| field.render(values, out));
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }
}

impl Field {
    fn render(&self, values: &(impl Values + ?Sized), out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.as_bytes());
        let before = out.len();
        if self.kind == Kind::Text {
            out.push(b'"');
        }
        let start = out.len();
        values.write(&self.variable, out);
        let missing = match self.kind {
            Kind::Text => out.len() == start,
            Kind::Number => !is_number(&out[start..]),
        };
        if missing {
            out.truncate(before);
            out.extend_from_slice(b"null");
        } else if self.kind == Kind::Text {
            json(out, start);
            out.push(b'"');
        }
    }
}

/// A number without sign or exponent, as JSON allows it (RFC 8259 section 6): `0`, `200`, `0.012`.
fn is_number(text: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    digits(whole) && (whole.len() == 1 || whole[0] != b'0') && fraction.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample(&'static [(&'static str, &'static str)]);

    impl Values for Sample {
        fn write(&self, variable: &Variable, out: &mut Vec<u8>) {
            let name = variable.to_string();
            let value = self.0.iter().find(|(known, _)| name[1..] == **known);
            out.extend_from_slice(value.map_or(b"", |(_, value)| value.as_bytes()));
        }
    }

    fn line(format: &Format, values: &'static [(&'static str, &'static str)]) -> String {
        let mut out = Vec::new();
        format.line(&Sample(values), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn combined_is_what_nginx_writes() {
        let values = &[
            ("remote_addr", "127.0.0.1"),
            ("time_local", "21/Nov/2026:12:01:48 +0000"),
            ("request", "GET /p?name=1 HTTP/1.1"),
            ("status", "200"),
            ("body_bytes_sent", "1"),
        ];
        let expected =
            "127.0.0.1 - - [21/Nov/2026:12:01:48 +0000] \"GET /p?name=1 HTTP/1.1\" 200 1 \"-\" \"-\"\n";
        assert_eq!(line(&Format::combined(), values), expected);
    }

    #[test]
    fn json_has_every_key_with_the_right_type() {
        let values = &[
            ("request_uri", "/a\"b"),
            ("status", "502"),
            ("request_time", "0.012"),
            ("upstream_status", "502, 200"),
        ];
        let line = line(&Format::json(), values);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read.as_object().unwrap().len(), JSON.len());
        assert_eq!((&read["uri"], &read["status"]), (&"/a\"b".into(), &502.into()));
        assert_eq!((&read["request_time"], &read["upstream_status"]), (&0.012.into(), &"502, 200".into()));
        assert!(read["policy"].is_null() && read["attempts"].is_null());
        assert!(line.starts_with("{\"time\":null,") && line.ends_with("}\n"));
    }

    #[test]
    fn what_is_no_number_never_breaks_a_line_of_json() {
        for value in ["", "000", "-", "1.", ".5", "1e5", "NaN", "1, 2"] {
            assert!(!is_number(value.as_bytes()), "{value}");
        }
        for value in ["0", "200", "0.000", "12.5"] {
            assert!(is_number(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_format_says_what_it_shows() {
        assert!(Format::json().uses(&Variable::Attempts));
        assert!(!Format::combined().uses(&Variable::Attempts));
    }
}
