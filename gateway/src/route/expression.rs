//! Paths described by a regular expression.

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::{Regex, RegexBuilder};

/// Most memory for one compiled expression, bytes.
const LARGEST: usize = 1 << 20;

/// A regular expression as nginx writes it in a `location`: `~ x` minds capitals, `~* x` does
/// not. Matching takes time in proportion to the path whatever the expression is, so that no
/// client can make it slow; in return there is no look-around and there are no references back.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Box<str>,
    regex: Regex,
}

impl Expression {
    /// Reads `~ x` or `~* x`.
    ///
    /// # Errors
    /// What is wrong with the expression, in a line.
    pub fn new(source: &str) -> Result<Self, String> {
        let (text, any_case) = match (source.strip_prefix("~*"), source.strip_prefix('~')) {
            (Some(text), _) => (text, true),
            (None, Some(text)) => (text, false),
            (None, None) => return Err("it must begin with `~` or `~*`".to_owned()),
        };
        let text = text.trim_start();
        if text.is_empty() {
            return Err("the expression is missing".to_owned());
        }
        let regex = RegexBuilder::new(text).case_insensitive(any_case).size_limit(LARGEST).build();
        let regex = regex.map_err(|error| last_line(&error.to_string()))?;
        Ok(Self { source: source.into(), regex })
    }

    /// Does it find something in `path`?
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    /// What its groups are called, the first group first; `""` for those without a name.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        self.regex.capture_names().skip(1).map(Option::unwrap_or_default).collect()
    }

    /// What a group (1 is the first) caught in `path`; empty if it took no part.
    #[must_use]
    pub fn capture<'p>(&self, group: usize, path: &'p str) -> &'p str {
        let caught = self.regex.captures(path).and_then(|captures| captures.get(group));
        caught.map_or("", |caught| caught.as_str())
    }
}

/// The parser's messages are pictures; their last line says what is wrong.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// As it was written.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    #[test]
    fn capitals_matter_unless_told_otherwise() {
        let matches = |source, path| Expression::new(source).unwrap().matches(path);
        assert!(matches("~ \\.php$", "/a.php") && !matches("~ \\.php$", "/a.PHP"));
        assert!(matches("~*\\.php$", "/a.PHP"));
        assert!(matches("~ ^/[^/]+$", "/é"));
    }

    #[test]
    fn groups_have_numbers_and_may_have_names() {
        let expression = Expression::new("~ ^/users/([0-9]+)/(?<what>.*)$").unwrap();
        assert_eq!(expression.groups(), ["", "what"]);
        assert_eq!(expression.capture(1, "/users/7/name"), "7");
        assert_eq!(expression.capture(2, "/users/7/name"), "name");
        assert_eq!(expression.capture(1, "/elsewhere"), "");
    }

    #[test]
    fn what_is_no_expression_says_why() {
        let why = |source| Expression::new(source).unwrap_err();
        assert_eq!(why("~ ("), "unclosed group");
        assert!(why("~ (?=x)").contains("look-around"), "{}", why("~ (?=x)"));
        assert_eq!(why("~*  "), "the expression is missing");
        assert!(why("~ (a{1000}){1000}").contains("size limit"), "{}", why("~ (a{1000}){1000}"));
    }
}
