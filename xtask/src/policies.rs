//! Rebuilds `policies/dist`: the built-in policies as components, the same bytes on every
//! machine that has the toolchain of `rust-toolchain.toml`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const TARGET: &str = "wasm32-unknown-unknown";

/// Every built-in policy: its crate, and its file in `policies/dist`.
const BUILT_IN: &[&str] = &[
    "adaptive",
    "fair",
    "hash",
    "ip_hash",
    "ketama",
    "least_conn",
    "least_time",
    "maglev",
    "p2c",
    "peak_ewma",
    "random",
    "rendezvous",
    "round_robin",
    "weighted_report",
];

/// Arguments of `cargo xtask policies`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if a file in policies/dist is not what its source gives.
    #[arg(long)]
    check: bool,
}

/// What can go wrong, told so that it can be mended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot run cargo: {0}")]
    Cargo(io::Error),
    #[error("the policies do not build (is the target there? `rustup target add {TARGET}`)")]
    Build,
    #[error(
        "not what the source gives: {}\nrun `cargo xtask policies` and commit the result",
        .0.join(", ")
    )]
    Stale(Vec<String>),
}

/// Builds, then replaces or compares.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().map_err(at(&root))?;
    if arguments.check {
        let scratch = tempfile::tempdir().map_err(at(&env::temp_dir()))?;
        compare(&build(&root, scratch.path())?, &root)
    } else {
        // A folder of its own: other flags than those of everyday's builds would make cargo
        // forget these each time.
        install(&build(&root, &target_folder(&root).join("policies"))?, &root)
    }
}

/// Builds all policies and returns the folder they are in.
fn build(root: &Path, target: &Path) -> Result<PathBuf, Error> {
    // Where the sources of the dependencies are must be known before anything is compiled.
    cargo(root, &["fetch", "--quiet", "--locked", "--target", TARGET], &[])?;
    let target_dir = target.display().to_string();
    let mut arguments = vec!["build", "--locked", "--profile", "policy", "--target", TARGET];
    arguments.extend(["--target-dir", &target_dir]);
    arguments.extend(BUILT_IN.iter().flat_map(|policy| ["--package", policy]));
    cargo(root, &arguments, &remaps(root))?;
    Ok(target.join(TARGET).join("policy"))
}

/// Runs cargo with these flags for rustc, and nothing of the environment that could add others.
fn cargo(root: &Path, arguments: &[&str], flags: &[String]) -> Result<(), Error> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os().filter(|(name, _)| changes_the_bytes(name)) {
        cargo.env_remove(name);
    }
    cargo.current_dir(root).args(arguments).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    if cargo.status().map_err(Error::Cargo)?.success() { Ok(()) } else { Err(Error::Build) }
}

/// Flags that keep the folders of this machine out of panic messages. (The standard library's
/// are remapped already; `trim-paths` of cargo will do all this once it is stable.)
fn remaps(root: &Path) -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let sources = home.map(|home| home.join("registry").join("src"));
    let folders = sources.iter().filter_map(|sources| fs::read_dir(sources).ok());
    let registries = folders.flatten().filter_map(|entry| Some((entry.ok()?.path(), "registry")));
    let all = registries.chain([(root.to_path_buf(), ".")]);
    all.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

/// Whether a variable of the environment could leak into the result.
fn changes_the_bytes(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name == "RUSTFLAGS" || name.starts_with("CARGO_PROFILE_") || name.starts_with("CARGO_TARGET_WASM32")
}

/// Puts what was built where the gateway embeds it from.
fn install(built: &Path, root: &Path) -> Result<(), Error> {
    for policy in BUILT_IN {
        let (from, to) = (artefact(built, policy), committed(root, policy));
        let bytes = fs::read(&from).map_err(at(&from))?;
        fs::write(&to, &bytes).map_err(at(&to))?;
        println!("{:>8} bytes  policies/dist/{policy}.wasm", bytes.len());
    }
    Ok(())
}

/// Fails, naming them all, if files are not what was built.
fn compare(built: &Path, root: &Path) -> Result<(), Error> {
    let mut stale = Vec::new();
    for policy in BUILT_IN {
        let path = artefact(built, policy);
        let fresh = fs::read(&path).map_err(at(&path))?;
        if fs::read(committed(root, policy)).ok() != Some(fresh) {
            stale.push(format!("policies/dist/{policy}.wasm"));
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(Error::Stale(stale)) }
}

fn artefact(built: &Path, policy: &str) -> PathBuf {
    built.join(policy).with_extension("wasm")
}

fn committed(root: &Path, policy: &str) -> PathBuf {
    root.join("policies").join("dist").join(policy).with_extension("wasm")
}

fn target_folder(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { path: path.into(), source }
}
