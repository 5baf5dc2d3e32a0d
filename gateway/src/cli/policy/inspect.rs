//! `pointsman policy inspect`

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Code, Named, engine};
use crate::policy::{Policy, WIT_VERSION};

pub(super) fn inspect(path: &Path) -> Code {
    tried(path).unwrap_or_else(|code| code)
}

fn tried(path: &Path) -> Result<Code, Code> {
    let Named { name, bytes } = Named::read(path)?;
    let engine = engine()?;
    let began = Instant::now();
    Ok(match Policy::load(&engine, &name, &bytes) {
        Ok(policy) => {
            describe(&policy, bytes.len(), began.elapsed());
            Code::Done
        }
        Err(error) => {
            println!("verdict   refused: {error}");
            Code::Refused
        }
    })
}

fn describe(policy: &Policy, size: usize, compiled: Duration) {
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
