//! The paths of one host.

use std::collections::HashMap;
use std::fmt;

/// What a route says about the path, in the forms of nginx's `location`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// `= /x`: this path and no other.
    Exact(Box<str>),
    /// `/x`: every path that begins so, byte by byte; the longest wins.
    Prefix(Box<str>),
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Prefix(path) => f.write_str(path),
        }
    }
}

/// The routes of one host by path.
#[derive(Debug)]
pub struct Paths<T> {
    exact: HashMap<Box<str>, T>,
    /// Longest first, so that the first that fits is the longest that fits.
    prefixes: Vec<(Box<str>, T)>,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), prefixes: Vec::new() }
    }
}

impl<T> Paths<T> {
    /// Adds a route; the first of two with the same pattern stays.
    pub fn insert(&mut self, pattern: PathPattern, route: T) {
        match pattern {
            PathPattern::Exact(path) => {
                self.exact.entry(path).or_insert(route);
            }
            PathPattern::Prefix(prefix) => {
                let place = self.prefixes.partition_point(|(other, _)| other.len() >= prefix.len());
                self.prefixes.insert(place, (prefix, route));
            }
        }
    }

    /// The route for `path`: exact before prefix, longest prefix before shorter.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&T> {
        if !self.exact.is_empty()
            && let Some(route) = self.exact.get(path)
        {
            return Some(route);
        }
        self.prefixes.iter().find(|(prefix, _)| path.starts_with(&**prefix)).map(|(_, route)| route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(patterns: &[&'static str]) -> Paths<&'static str> {
        let mut paths = Paths::default();
        for pattern in patterns {
            let pattern_of = |path: &str| PathPattern::Prefix(path.into());
            let exact = pattern.strip_prefix("= ").map(|path| PathPattern::Exact(path.into()));
            paths.insert(exact.unwrap_or_else(|| pattern_of(pattern)), *pattern);
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
}
