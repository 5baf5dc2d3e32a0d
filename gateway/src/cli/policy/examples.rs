//! The examples of `examples/policies`, which are also what `policy new` begins with: one policy in
//! each language, embedded as it stands there.

use include_dir::{Dir, include_dir};

/// The SDK for Rust, for folders that lie outside of Pointsman's tree.
pub(super) static SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../policies/sdk/src");
/// Its manifest, which leans on the workspace.
pub(super) const SDK_MANIFEST: &str = include_str!("../../../../policies/sdk/Cargo.toml");

/// One language.
#[derive(Debug)]
pub(super) struct Example {
    /// Its name on the command line, and of its folder.
    pub(super) language: &'static str,
    /// Its name in sentences.
    pub(super) shown: &'static str,
    /// What must be there to build it.
    pub(super) needs: &'static str,
    /// Files by their path in the folder.
    pub(super) files: &'static [(&'static str, &'static str)],
}

macro_rules! example {
    ($language:literal, $shown:literal, needs $needs:literal, $($file:literal),+ $(,)?) => {
        Example {
            language: $language,
            shown: $shown,
            needs: $needs,
            files: &[$((
                $file,
                include_str!(concat!("../../../../examples/policies/", $language, "/", $file)),
            )),+],
        }
    };
}

/// All of them, the most usual ones first.
pub(super) const EXAMPLES: &[Example] = &[
    example!("rust", "Rust", needs "rustup with the target wasm32-unknown-unknown",
        "README.md", "build.sh", "Cargo.toml", ".cargo/config.toml", "src/lib.rs"),
    example!("c", "C", needs "clang and lld, or Zig", "README.md", "build.sh", "least_wait.c"),
    example!("js", "JavaScript", needs "Node.js", "README.md", "build.sh", "package.json", "least_wait.js"),
    example!("ts", "TypeScript", needs "Node.js",
        "README.md", "build.sh", "package.json", "tsconfig.json", "least_wait.ts", "policy.d.ts", "gateway.d.ts"),
    example!("python", "Python", needs "Python 3.10 or newer", "README.md", "build.sh", "least_wait.py"),
    example!("zig", "Zig", needs "Zig 0.16 or newer", "README.md", "build.sh", "least_wait.zig"),
    example!("wat", "WebAssembly text", needs "nothing but pointsman", "README.md", "build.sh", "least_wait.wat"),
    example!("assemblyscript", "AssemblyScript", needs "Node.js",
        "README.md", "build.sh", "package.json", "least_wait.ts", "rename.mjs"),
    example!("go", "Go", needs "Go 1.24 or newer",
        "README.md", "build.sh", "go.mod", "least_wait.go", "border.go"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::*;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// The files below a folder that are kept in the repository; none outside of one.
    fn kept(folder: &str) -> Option<BTreeSet<String>> {
        let listed =
            Command::new("git").args(["ls-files", "."]).current_dir(repository().join(folder)).output();
        let listed = listed.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn every_file_of_an_example_is_embedded() {
        for example in EXAMPLES {
            let embedded: BTreeSet<String> =
                example.files.iter().map(|(path, _)| (*path).to_owned()).collect();
            let Some(kept) = kept(&format!("examples/policies/{}", example.language)) else { return };
            assert_eq!(embedded, kept, "{}", example.language);
        }
    }

    #[test]
    fn every_file_of_the_sdk_is_embedded() {
        let mut embedded = BTreeSet::new();
        let mut folders = vec![&SDK];
        while let Some(folder) = folders.pop() {
            embedded.extend(folder.files().map(|file| file.path().display().to_string()));
            folders.extend(folder.dirs());
        }
        let Some(kept) = kept("policies/sdk/src") else { return };
        assert_eq!(embedded, kept, "touch this file: it embeds the folder as it was");
    }
}
