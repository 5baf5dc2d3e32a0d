//! `include = ["conf.d/*.toml"]`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::fields::Text;
use super::file::{File, Reader};

impl Reader<'_> {
    /// Reads the files that the patterns name, each file once, in the order of the patterns and by
    /// name within one. Patterns start from the folder of the `main` file.
    pub(super) fn include(&mut self, main: &Path, patterns: &[Text<'_>]) -> Vec<File> {
        let mut seen = HashSet::from([real(main)]);
        let mut files = Vec::new();
        for pattern in patterns {
            for path in self.matching(main, pattern) {
                if seen.insert(real(&path)) {
                    files.extend(self.read(&path, Some(pattern.place)));
                }
            }
        }
        files
    }

    fn matching(&mut self, main: &Path, pattern: &Text<'_>) -> Vec<PathBuf> {
        let folder = main.parent().unwrap_or(Path::new(""));
        if !pattern.text.contains(['*', '?', '[']) {
            return vec![folder.join(pattern.text)];
        }
        // The folder's own name is not a pattern, whatever it contains.
        let folder = PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy()));
        match glob::glob(&folder.join(pattern.text).to_string_lossy()) {
            Ok(paths) => paths.filter_map(Result::ok).filter(|path| path.is_file()).collect(),
            Err(error) => {
                let message = format!("`{}` is not a pattern: {}", pattern.text, error.msg);
                self.findings.error(pattern.place, message, "for example `conf.d/*.toml`");
                Vec::new()
            }
        }
    }
}

/// The same for all spellings of a path.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
