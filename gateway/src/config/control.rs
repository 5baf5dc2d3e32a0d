//! Finding the running gateway of a configuration.

use std::fs;
use std::path::{Path, PathBuf};

/// The control socket that the configuration in the file `path` names. A file with mistakes
/// still leads to the gateway that runs with its last good content: it must be possible to stop.
#[must_use]
pub fn control_of(path: &Path) -> PathBuf {
    if let Ok(loaded) = super::load(path) {
        return loaded.config.control;
    }
    let table: Option<toml::Table> = fs::read_to_string(path).ok().and_then(|text| text.parse().ok());
    let named = table.as_ref().and_then(|table| table.get("control")?.as_str());
    path.parent().unwrap_or(Path::new("")).join(named.unwrap_or("pointsman.sock"))
}

#[cfg(test)]
mod tests {
    use super::control_of;

    #[test]
    fn a_file_with_mistakes_still_names_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pointsman.toml");
        std::fs::write(&file, "control = \"run/x.sock\"\nmistake = 1").unwrap();
        assert_eq!(control_of(&file), folder.path().join("run/x.sock"));
        std::fs::write(&file, "not toml at all [").unwrap();
        assert_eq!(control_of(&file), folder.path().join("pointsman.sock"));
    }
}
