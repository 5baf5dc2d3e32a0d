//! `pointsman policy build`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Code, Named, engine};
use crate::policy::{Policy, to_component};

#[derive(Args)]
pub(in crate::cli) struct Build {
    /// WAT text or a core module; a component is only checked
    file: PathBuf,
    /// Where to write the component [default: the file's name with the ending `.wasm`; of
    /// `x.core.wasm` that is `x.wasm`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn build(asked: &Build) -> Code {
    built(asked).unwrap_or_else(|code| code)
}

fn built(asked: &Build) -> Result<Code, Code> {
    let Build { file, output } = asked;
    let Named { bytes, .. } = Named::read(file)?;
    // Mistakes are shown as `folder/mine.wat:7:6`, which editors make a link of.
    let shown = file.display().to_string();
    let component = to_component(&shown, &bytes).map_err(|error| refused(file, &error))?;
    let policy = Policy::load(&engine()?, &shown, &component).map_err(|error| refused(file, &error))?;
    if component == bytes && output.is_none() {
        println!("`{shown}` is a component already, and a policy: there is nothing to build");
        return Ok(Code::Done);
    }
    let output = output.clone().map_or_else(|| beside(file), Ok)?;
    fs::write(&output, &component).map_err(|error| {
        eprintln!("cannot write `{}`: {error}", output.display());
        Code::System
    })?;
    println!(
        "{}: {} bytes, exports {}, imports {}",
        output.display(),
        component.len(),
        policy.exports().join(", "),
        if policy.imports().is_empty() { "nothing".to_owned() } else { policy.imports().join(", ") }
    );
    println!("try it: pointsman policy test {}", output.display());
    Ok(Code::Done)
}

fn refused(file: &Path, error: &impl std::fmt::Display) -> Code {
    eprintln!("`{}`: {error}", file.display());
    Code::Refused
}

/// Where the component goes when nobody said where: beside its source, never over it.
fn beside(file: &Path) -> Result<PathBuf, Code> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.strip_suffix(".core").unwrap_or(&stem);
    let output = file.with_file_name(format!("{name}.wasm"));
    if output == file {
        eprintln!(
            "`{}` would be overwritten: say where the component should go, with `--output`",
            file.display()
        );
        return Err(Code::Refused);
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_lies_beside_its_source_and_never_over_it() {
        let place = |file: &str| beside(Path::new(file));
        assert_eq!(place("policies/two.wat"), Ok(PathBuf::from("policies/two.wasm")));
        assert_eq!(place("two.core.wasm"), Ok(PathBuf::from("two.wasm")));
        assert_eq!(place("v1.2.wat"), Ok(PathBuf::from("v1.2.wasm")));
        assert_eq!(place("two.wasm"), Err(Code::Refused));
    }
}
