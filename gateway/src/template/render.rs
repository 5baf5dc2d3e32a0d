//! From [`Template`] to bytes.

use super::parse::Piece;
use super::{Escape, Template, Variable};

/// What variables stand for in one request.
pub trait Values {
    /// Appends the value of `variable` to `out`; nothing if there is none. Only appends.
    fn write(&self, variable: &Variable, out: &mut Vec<u8>);
}

impl Template {
    /// Appends the text with its values as they are, for headers and hash keys. A value may hold
    /// any byte that a header may.
    #[inline]
    pub fn render(&self, values: &(impl Values + ?Sized), out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Constant(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => values.write(variable, out),
            }
        }
    }

    /// Appends the text with each value escaped, for a log line.
    pub fn render_escaped(&self, escape: Escape, values: &(impl Values + ?Sized), out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Constant(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => {
                    let start = out.len();
                    values.write(variable, out);
                    escape.apply(out, start);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request with a quote in its user agent and without a referer.
    struct Sample;

    impl Values for Sample {
        fn write(&self, variable: &Variable, out: &mut Vec<u8>) {
            out.extend_from_slice(match variable {
                Variable::RemoteAddr => b"10.0.0.1",
                Variable::Status => b"200",
                Variable::Header(name) if name == "user-agent" => b"the \"best\"",
                _ => b"",
            });
        }
    }

    const TEXT: &str = "\"$http_user_agent\" $remote_addr [$http_referer] $status";

    fn rendered(escape: Option<Escape>) -> String {
        let template = Template::parse(TEXT).unwrap();
        let mut out = b"before ".to_vec();
        match escape {
            Some(escape) => template.render_escaped(escape, &Sample, &mut out),
            None => template.render(&Sample, &mut out),
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_raw_text_holds_the_values_as_they_are() {
        assert_eq!(rendered(None), "before \"the \"best\"\" 10.0.0.1 [] 200");
        assert_eq!(rendered(Some(Escape::None)), rendered(None));
    }

    #[test]
    fn a_log_line_escapes_values_and_marks_missing_ones() {
        assert_eq!(rendered(Some(Escape::Text)), "before \"the \\x22best\\x22\" 10.0.0.1 [-] 200");
    }

    #[test]
    fn a_json_line_escapes_values_and_leaves_missing_ones_empty() {
        assert_eq!(rendered(Some(Escape::Json)), "before \"the \\\"best\\\"\" 10.0.0.1 [] 200");
    }

    #[test]
    fn rendering_into_a_used_buffer_does_not_make_it_grow() {
        let template = Template::parse(TEXT).unwrap();
        let mut out = Vec::with_capacity(256);
        let before = (out.as_ptr(), out.capacity());
        for _ in 0..100 {
            out.clear();
            template.render_escaped(Escape::Text, &Sample, &mut out);
        }
        assert_eq!((out.as_ptr(), out.capacity()), before);
    }
}
