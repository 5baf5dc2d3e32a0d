//! The scenarios that come with the gateway: the files of `examples/scenarios`.

use super::Scenario;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Name and text of each, in the order in which they are presented.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../examples/scenarios/", $name, ".toml")))),*
        ];
    };
}

#[rustfmt::skip]
shipped![
    "homog70", "homog90", "hetero", "hetero_w", "hetero_95", "antag70", "antag90", "heavy", "manyLB",
    "manyLBa", "gc", "deploy", "big", "brown", "blackhole", "hang", "crashes", "overload",
    "light", "skew", "hotkeys", "churn", "closed",
];

/// The one of this name, in any case.
///
/// # Errors
/// It does not parse, which a test excludes.
#[must_use]
pub fn shipped(name: &str) -> Option<Result<Scenario, String>> {
    let found = SHIPPED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(name, text)| Scenario::parse(name, text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_scenario_that_ships_can_be_simulated() {
        for (name, text) in SHIPPED {
            let scenario = Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(scenario.rate() > 0.0, "{name}");
        }
    }

    #[test]
    fn every_file_of_the_folder_ships() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let ships = SHIPPED.iter().any(|(known, _)| *known == name);
            assert!(ships || path.extension().is_none_or(|end| end != "toml"), "{name}");
        }
    }
}
