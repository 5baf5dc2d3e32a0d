//! The WIT package that policies are written against: its files, and what names in it mean.

use wit_parser::{PackageId, Resolve, SourceMap};

/// Version of the package.
pub const WIT_VERSION: &str = "0.1.0";

const PREFIX: &str = "pointsman:policy/";

/// Each file of `wit/` by its name, so that the gateway can pack core modules, and hand the package
/// to whoever begins a policy.
pub const WIT: [(&str, &str); 11] = [
    ("explain.wit", include_str!("../../../wit/explain.wit")),
    ("feedback.wit", include_str!("../../../wit/feedback.wit")),
    ("log.wit", include_str!("../../../wit/log.wit")),
    ("policy.wit", include_str!("../../../wit/policy.wit")),
    ("request-info.wit", include_str!("../../../wit/request-info.wit")),
    ("state.wit", include_str!("../../../wit/state.wit")),
    ("stats.wit", include_str!("../../../wit/stats.wit")),
    ("timer.wit", include_str!("../../../wit/timer.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("upstream.wit", include_str!("../../../wit/upstream.wit")),
    ("world.wit", include_str!("../../../wit/world.wit")),
];

/// Interfaces that a policy may export.
pub(super) const EXPORTS: [&str; 5] = ["policy", "feedback", "timer", "state", "explain"];
/// Interfaces that a policy may import.
pub(super) const IMPORTS: [&str; 5] = ["types", "stats", "request-info", "upstream", "log"];

/// The full name of an interface: `pointsman:policy/stats@0.1.0`.
pub(super) fn full_name(interface: &str) -> String {
    format!("{PREFIX}{interface}@{WIT_VERSION}")
}

/// Splits `pointsman:policy/stats@0.1.0` into interface and version (empty when there is none);
/// none for names of other packages.
pub(super) fn ours(name: &str) -> Option<(&str, &str)> {
    let interface = name.strip_prefix(PREFIX)?;
    Some(interface.split_once('@').unwrap_or((interface, "")))
}

/// Does this version of the package fit the gateway's? Before 1.0 the second number decides.
pub(super) fn fits(version: &str) -> bool {
    let track = |version: &str| version.rsplit_once('.').map(|(track, _)| track.to_owned());
    track(version) == track(WIT_VERSION)
}

/// The package, parsed, together with what else it stands on.
///
/// # Errors
/// When the files of `wit/` are wrong, which a test of this module rules out.
pub(super) fn parse() -> Result<(Resolve, PackageId), String> {
    let mut sources = SourceMap::default();
    for (path, text) in WIT {
        sources.push_str(path, text);
    }
    let group = sources.parse().map_err(|(_, error)| format!("wit/: {error}"))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| format!("wit/: {error}"))?;
    Ok((resolve, package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_package_parses_and_holds_every_interface() {
        let (resolve, package) = parse().unwrap();
        for name in EXPORTS.iter().chain(&IMPORTS) {
            assert!(resolve.packages[package].interfaces.contains_key(*name), "{name}");
        }
    }

    #[test]
    fn names_fall_into_interface_and_version() {
        assert_eq!(ours("pointsman:policy/stats@0.1.0"), Some(("stats", "0.1.0")));
        assert_eq!(ours("pointsman:policy/stats"), Some(("stats", "")));
        assert_eq!(ours("wasi:io/poll@0.2.0"), None);
    }

    #[test]
    fn patches_fit_and_other_versions_do_not() {
        assert!(fits("0.1.0") && fits("0.1.7"));
        assert!(!fits("0.2.0") && !fits("1.1.0") && !fits(""));
    }
}
