//! From text to [`Template`].

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::Variable;

/// A text with variables, ready to be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: Box<str>,
    pub(super) pieces: Box<[Piece]>,
}

/// Constants are never empty, and two never stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Constant(Box<str>),
    Variable(Variable),
}

/// Why a text is no template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    kind: Kind,
    span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Unknown { name: String, suggestion: Option<String> },
    Nameless,
    Unclosed,
    Capture,
    NoSuchGroup { groups: usize },
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// The first variable that nobody knows or that is written wrongly.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Self::parse_with(source, &[])
    }

    /// Parses a text that may also name the groups of a regular expression: by number, `$1` to
    /// `$9`, and by what they are called (`""` for those without a name).
    ///
    /// # Errors
    /// The first variable that nobody knows or that is written wrongly.
    pub fn parse_with(source: &str, groups: &[&str]) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut constant = String::new();
        let mut at = 0;
        while let Some(offset) = source[at..].find('$') {
            let dollar = at + offset;
            constant.push_str(&source[at..dollar]);
            let rest = &source[dollar + 1..];
            if rest.starts_with('$') {
                constant.push('$');
                at = dollar + 2;
                continue;
            }
            let (variable, length) = variable(rest, dollar, groups)?;
            if !constant.is_empty() {
                pieces.push(Piece::Constant(std::mem::take(&mut constant).into()));
            }
            pieces.push(Piece::Variable(variable));
            at = dollar + 1 + length;
        }
        constant.push_str(&source[at..]);
        if !constant.is_empty() {
            pieces.push(Piece::Constant(constant.into()));
        }
        Ok(Self { source: source.into(), pieces: pieces.into() })
    }

    /// The text, if it has no variables at all.
    #[must_use]
    pub fn as_constant(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [Piece::Constant(text)] => Some(text),
            _ => None,
        }
    }

    /// The variable, if the text is nothing but one.
    #[must_use]
    pub fn as_variable(&self) -> Option<&Variable> {
        match &*self.pieces {
            [Piece::Variable(variable)] => Some(variable),
            _ => None,
        }
    }

    /// Its variables, in order and as often as they occur.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable),
            Piece::Constant(_) => None,
        })
    }

    /// Is this variable wanted? Whoever serves requests asks once, and measures only what is.
    #[must_use]
    pub fn uses(&self, variable: &Variable) -> bool {
        self.variables().any(|used| used == variable)
    }
}

/// Reads the variable at the start of `rest`, which follows the `$` at `dollar`. Also says how
/// many bytes it takes there.
fn variable(rest: &str, dollar: usize, groups: &[&str]) -> Result<(Variable, usize), TemplateError> {
    let fail = |kind, length| Err(TemplateError { kind, span: dollar..dollar + 1 + length });
    let (text, braces) = match rest.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (rest, false),
    };
    let end = match text.as_bytes() {
        // As in nginx, the number of a group has one digit.
        [digit, ..] if digit.is_ascii_digit() => 1,
        _ => text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()),
    };
    let name = &text[..end];
    let length = end + 2 * usize::from(braces);
    if braces && !text[end..].starts_with('}') {
        return fail(Kind::Unclosed, end + 1);
    }
    if name.is_empty() {
        return fail(Kind::Nameless, length);
    }
    if let Ok(group) = name.parse::<u8>() {
        return match usize::from(group) {
            _ if groups.is_empty() => fail(Kind::Capture, length),
            number if (1..=groups.len()).contains(&number) => Ok((Variable::Capture(group), length)),
            _ => fail(Kind::NoSuchGroup { groups: groups.len() }, length),
        };
    }
    if let Some(place) = groups.iter().position(|group| *group == name) {
        return Ok((Variable::Capture(place as u8 + 1), length));
    }
    match Variable::from_name(name) {
        Some(variable) => Ok((variable, length)),
        None => {
            let suggestion = Variable::suggest(name);
            fail(Kind::Unknown { name: name.to_owned(), suggestion }, length)
        }
    }
}

impl TemplateError {
    /// The bytes of the text that are wrong, the `$` included.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unknown { name, suggestion: None } => write!(f, "there is no variable `${name}`"),
            Kind::Unknown { name, suggestion: Some(best) } => {
                write!(f, "there is no variable `${name}` (did you mean `${best}`?)")
            }
            Kind::Nameless => f.write_str(
                "`$` must be followed by the name of a variable; write `$$` for a dollar sign",
            ),
            Kind::Unclosed => f.write_str("the `}` that ends the name of the variable is missing"),
            Kind::Capture => f.write_str(
                "variables with a number are groups of a route's regular expression, and there is none here; write `$$` for a dollar sign",
            ),
            Kind::NoSuchGroup { groups: 1 } => {
                f.write_str("the route's regular expression has one group, `$1`")
            }
            Kind::NoSuchGroup { groups } => {
                write!(f, "the route's regular expression has the groups `$1` to `${groups}`")
            }
        }
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The text as it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        Template::parse(text).unwrap().pieces.into()
    }

    fn constant(text: &str) -> Piece {
        Piece::Constant(text.into())
    }

    /// The message and the part of the text it points at.
    fn refused(text: &str) -> (String, &str) {
        let error = Template::parse(text).unwrap_err();
        (error.to_string(), &text[error.span()])
    }

    #[test]
    fn variables_stand_with_and_without_braces() {
        let expected = [
            constant("a "),
            Piece::Variable(Variable::Status),
            constant("x"),
            Piece::Variable(Variable::Uri),
        ];
        assert_eq!(pieces("a ${status}x$uri"), expected);
    }

    #[test]
    fn two_dollars_are_one() {
        assert_eq!(pieces("5$$ and $$status"), [constant("5$ and $status")]);
    }

    #[test]
    fn a_name_ends_where_it_cannot_go_on() {
        let expected =
            [Piece::Variable(Variable::Host), constant(":"), Piece::Variable(Variable::ServerPort)];
        assert_eq!(pieces("$host:$server_port"), expected);
        assert_eq!(pieces("$hosté"), [Piece::Variable(Variable::Host), constant("é")]);
    }

    #[test]
    fn constants_and_single_variables_are_known_as_such() {
        let parse = |text| Template::parse(text).unwrap();
        assert_eq!(parse("").as_constant(), Some(""));
        assert_eq!(parse("plain").as_constant(), Some("plain"));
        assert_eq!(parse("$host").as_variable(), Some(&Variable::Host));
        let mixed = parse("$host ");
        assert_eq!((mixed.as_constant(), mixed.as_variable()), (None, None));
    }

    #[test]
    fn a_template_knows_what_it_wants() {
        let template = Template::parse("$remote_addr $status $upstream_status").unwrap();
        assert!(template.uses(&Variable::Status));
        assert!(!template.uses(&Variable::PickExplanation));
    }

    #[test]
    fn what_is_wrong_is_named_and_pointed_at() {
        let (message, place) = refused("to $upstrem_addr now");
        assert_eq!(message, "there is no variable `$upstrem_addr` (did you mean `$upstream_addr`?)");
        assert_eq!(place, "$upstrem_addr");
        assert_eq!(refused("a ${nonsense} b"), ("there is no variable `$nonsense`".into(), "${nonsense}"));
    }

    #[test]
    fn a_lonely_dollar_an_open_brace_and_a_capture_say_how_to_mend_it() {
        let (message, place) = refused("costs 5$ each");
        assert!(message.contains("write `$$`"), "{message}");
        assert_eq!(place, "$");
        assert_eq!(refused("${}").1, "${}");
        assert_eq!(
            refused("x${status y"),
            ("the `}` that ends the name of the variable is missing".into(), "${status")
        );
        assert!(refused("$1").0.contains("groups"));
    }

    #[test]
    fn groups_of_an_expression_stand_by_number_and_by_name() {
        let pieces = Template::parse_with("/$1/${what}/$12", &["", "what"]).unwrap().pieces;
        let (first, second) = (Piece::Variable(Variable::Capture(1)), Piece::Variable(Variable::Capture(2)));
        let expected =
            [constant("/"), first.clone(), constant("/"), second, constant("/"), first, constant("2")];
        assert_eq!(*pieces, expected);
        let error = Template::parse_with("$3", &["", "what"]).unwrap_err();
        assert!(error.to_string().contains("`$1` to `$2`"), "{error}");
    }

    #[test]
    fn text_comes_back_as_it_was_written() {
        let text = "${status} $$ $http_user_agent";
        assert_eq!(text.parse::<Template>().unwrap().to_string(), text);
    }

    #[test]
    fn fuzz_template() {
        let words =
            ["$", "${", "}", "$host", "$http_x", "$arg_", "$cookie_a", "\\", "\"", "$1", "$upstream_addr"];
        crate::fuzz::fuzz("template", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            if let Err(error) = Template::parse(text) {
                let span = error.span();
                assert!(text.get(span).is_some(), "the place of the mistake lies in the text");
                assert!(!error.to_string().is_empty());
            }
        });
    }
}
