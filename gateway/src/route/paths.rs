//! The paths of one host.

use std::collections::HashMap;
use std::fmt;

use super::Expression;

/// What a route says about the path, in the forms of nginx's `location`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// `= /x`: this path and no other.
    Exact(Box<str>),
    /// `/x`: every path that begins so, byte by byte; the longest wins.
    Prefix(Box<str>),
    /// `^~ /x`: the same, and if it is the longest no expression is asked.
    Final(Box<str>),
    /// `~ x`, `~* x`: every path that the expression finds something in; the first wins.
    Matching(Expression),
}

impl PathPattern {
    /// Would this and `other` want the very same paths?
    #[must_use]
    pub fn clashes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(one) | Self::Final(one), Self::Prefix(two) | Self::Final(two)) => one == two,
            _ => self == other,
        }
    }

    /// The expression, if it is one.
    #[must_use]
    pub fn expression(&self) -> Option<&Expression> {
        if let Self::Matching(expression) = self { Some(expression) } else { None }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Prefix(path) => f.write_str(path),
            Self::Final(path) => write!(f, "^~ {path}"),
            Self::Matching(expression) => expression.fmt(f),
        }
    }
}

/// The routes of one host by path.
#[derive(Debug)]
pub struct Paths<T> {
    exact: HashMap<Box<str>, T>,
    /// Longest first, so that the first that fits is the longest that fits.
    prefixes: Vec<Prefix<T>>,
    /// In the order of the configuration.
    expressions: Vec<(Expression, T)>,
}

#[derive(Debug)]
struct Prefix<T> {
    path: Box<str>,
    /// Is no expression asked after this?
    last: bool,
    route: T,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), prefixes: Vec::new(), expressions: Vec::new() }
    }
}

impl<T> Paths<T> {
    /// Adds a route; the first of two with the same pattern stays.
    pub fn insert(&mut self, pattern: PathPattern, route: T) {
        match pattern {
            PathPattern::Exact(path) => {
                self.exact.entry(path).or_insert(route);
            }
            PathPattern::Prefix(path) => self.insert_prefix(Prefix { path, last: false, route }),
            PathPattern::Final(path) => self.insert_prefix(Prefix { path, last: true, route }),
            PathPattern::Matching(expression) => self.expressions.push((expression, route)),
        }
    }

    fn insert_prefix(&mut self, prefix: Prefix<T>) {
        let place = self.prefixes.partition_point(|other| other.path.len() >= prefix.path.len());
        self.prefixes.insert(place, prefix);
    }

    /// The route for `path`: an exact one; else the longest prefix, unless it gives way to the
    /// first expression that matches.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&T> {
        if !self.exact.is_empty()
            && let Some(route) = self.exact.get(path)
        {
            return Some(route);
        }
        let prefix = self.prefixes.iter().find(|prefix| path.starts_with(&*prefix.path));
        if !self.expressions.is_empty()
            && prefix.is_none_or(|prefix| !prefix.last)
            && let Some((_, route)) = self.expressions.iter().find(|(expression, _)| expression.matches(path))
        {
            return Some(route);
        }
        prefix.map(|prefix| &prefix.route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(patterns: &[&'static str]) -> Paths<&'static str> {
        let mut paths = Paths::default();
        for pattern in patterns {
            let read = match pattern.split_once(' ') {
                Some(("=", path)) => PathPattern::Exact(path.into()),
                Some(("^~", path)) => PathPattern::Final(path.into()),
                Some(_) => PathPattern::Matching(Expression::new(pattern).unwrap()),
                None => PathPattern::Prefix((*pattern).into()),
            };
            assert_eq!(read.to_string(), *pattern);
            paths.insert(read, *pattern);
        }
        paths
    }

    #[test]
    fn the_longest_prefix_wins_in_any_order() {
        for order in [["/", "/api", "/api/v2"], ["/api/v2", "/", "/api"]] {
            let paths = paths(&order);
            assert_eq!(paths.find("/api/v2/x"), Some(&"/api/v2"));
            assert_eq!(paths.find("/apiary"), Some(&"/api"), "byte by byte, as nginx does");
            assert_eq!(paths.find("/other"), Some(&"/"));
        }
    }

    #[test]
    fn an_exact_path_wins_over_every_prefix() {
        let paths = paths(&["/x", "= /x"]);
        assert_eq!(paths.find("/x"), Some(&"= /x"));
        assert_eq!(paths.find("/x/"), Some(&"/x"));
    }

    #[test]
    fn no_route_is_an_answer_too() {
        assert_eq!(paths(&["/api"]).find("/"), None);
    }

    #[test]
    fn an_expression_wins_over_a_prefix_and_the_first_over_the_second() {
        let paths = paths(&["/", "/images/", "~ \\.png$", "~* \\.(png|gif)$"]);
        assert_eq!(paths.find("/images/a.png"), Some(&"~ \\.png$"));
        assert_eq!(paths.find("/images/a.PNG"), Some(&"~* \\.(png|gif)$"));
        assert_eq!(paths.find("/images/a.txt"), Some(&"/images/"));
    }

    #[test]
    fn a_final_prefix_and_an_exact_path_ask_no_expression() {
        let paths = paths(&["= /a.png", "^~ /images/", "/images/big/", "~ \\.png$"]);
        assert_eq!(paths.find("/a.png"), Some(&"= /a.png"));
        assert_eq!(paths.find("/images/a.png"), Some(&"^~ /images/"));
        assert_eq!(paths.find("/images/big/a.png"), Some(&"~ \\.png$"), "only the longest prefix counts");
    }

    #[test]
    fn only_what_no_request_could_tell_apart_clashes() {
        let prefix = PathPattern::Prefix("/x".into());
        assert!(prefix.clashes(&PathPattern::Final("/x".into())));
        assert!(!prefix.clashes(&PathPattern::Exact("/x".into())));
    }
}
