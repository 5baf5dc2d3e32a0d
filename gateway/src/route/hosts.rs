//! Virtual hosts.

use std::collections::HashMap;
use std::fmt;

use super::{PathPattern, Paths};

/// What a route says about the host, in the forms of nginx's `server_name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Every host that no other pattern knows.
    Any,
    /// `a.example`, lower case.
    Exact(Box<str>),
    /// `*.example`: everything below it, any number of labels deep; kept as `.example`.
    Below(Box<str>),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("every host"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// All routes of a generation. The host is decided first, as nginx does: a host that has routes
/// of its own never falls through to those of every host.
#[derive(Debug)]
pub struct Table<T> {
    exact: HashMap<Box<str>, Paths<T>>,
    /// Longest suffix first.
    below: Vec<(Box<str>, Paths<T>)>,
    any: Paths<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: Vec::new(), any: Paths::default() }
    }
}

impl<T> Table<T> {
    /// Adds a route.
    pub fn insert(&mut self, host: HostPattern, path: PathPattern, route: T) {
        self.paths(host).insert(path, route);
    }

    fn paths(&mut self, host: HostPattern) -> &mut Paths<T> {
        match host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(name) => self.exact.entry(name).or_default(),
            HostPattern::Below(suffix) => {
                let place = self.below.iter().position(|(other, _)| *other == suffix).unwrap_or_else(|| {
                    let place = self.below.partition_point(|(other, _)| other.len() >= suffix.len());
                    self.below.insert(place, (suffix, Paths::default()));
                    place
                });
                &mut self.below[place].1
            }
        }
    }

    /// The route for a host (lower case, without port) and a path.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&T> {
        self.host(host).find(path)
    }

    fn host(&self, host: &str) -> &Paths<T> {
        if !self.exact.is_empty()
            && let Some(paths) = self.exact.get(host)
        {
            return paths;
        }
        let below =
            self.below.iter().find(|(suffix, _)| host.len() > suffix.len() && host.ends_with(&**suffix));
        below.map_or(&self.any, |(_, paths)| paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, &str)]) -> Table<String> {
        let mut table = Table::default();
        for (host, path) in routes {
            let pattern = match (*host, host.strip_prefix('*')) {
                ("any", _) => HostPattern::Any,
                (_, Some(suffix)) => HostPattern::Below(suffix.into()),
                (name, None) => HostPattern::Exact(name.into()),
            };
            table.insert(pattern, PathPattern::Prefix((*path).into()), format!("{host}{path}"));
        }
        table
    }

    #[test]
    fn exact_before_wildcard_before_any() {
        let table = table(&[("any", "/"), ("*.example", "/"), ("*.b.example", "/"), ("a.example", "/")]);
        let find = |host| table.find(host, "/").unwrap().as_str();
        assert_eq!(find("a.example"), "a.example/");
        assert_eq!(find("x.example"), "*.example/");
        assert_eq!(find("x.y.b.example"), "*.b.example/");
        assert_eq!(find("example"), "any/", "a wildcard needs a label");
        assert_eq!(find(""), "any/");
    }

    #[test]
    fn a_host_with_routes_of_its_own_does_not_fall_through() {
        let table = table(&[("any", "/"), ("a.example", "/api")]);
        assert_eq!(table.find("a.example", "/other"), None);
    }

    #[test]
    fn two_routes_of_one_wildcard_share_its_paths() {
        let table = table(&[("*.example", "/"), ("*.example", "/api")]);
        assert_eq!(table.find("a.example", "/api/x").unwrap(), "*.example/api");
    }
}
