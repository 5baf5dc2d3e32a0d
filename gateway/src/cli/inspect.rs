//! `pointsman policy inspect`

use std::fs;
use std::path::Path;

use super::Code;
use crate::policy::{Engine, Policy, WIT_VERSION, builtin};

pub(super) fn inspect(path: &Path) -> Code {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = match builtin(&path.to_string_lossy()) {
        Some(builtin) if !path.exists() => builtin.bytes.to_vec(),
        _ => match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("cannot read `{}`: {error}", path.display());
                return Code::System;
            }
        },
    };
    let engine = match Engine::new() {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("{error}");
            return Code::System;
        }
    };
    let began = std::time::Instant::now();
    match Policy::load(&engine, &name, &bytes) {
        Ok(policy) => {
            describe(&policy, bytes.len(), began.elapsed());
            Code::Done
        }
        Err(error) => {
            println!("verdict   refused: {error}");
            Code::Refused
        }
    }
}

fn describe(policy: &Policy, size: usize, compiled: std::time::Duration) {
    println!("policy    {}", policy.name());
    println!("version   {} ({size} bytes, compiled in {compiled:.0?})", policy.version());
    println!("speaks    pointsman:policy@{WIT_VERSION}");
    println!("exports   {}", policy.exports().join(", "));
    println!(
        "imports   {}",
        if policy.imports().is_empty() { "nothing".to_owned() } else { policy.imports().join(", ") }
    );
    println!("verdict   can serve; `pointsman check` tries it with its options and backends");
}
