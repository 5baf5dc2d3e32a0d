//! Where and with what the numbers came about: they mean nothing without it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// One line: date, processor, cores, memory, kernel.
pub(super) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory =
        field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    format!(
        "{}, {}, {cores} cores, {} GiB, Linux {}",
        first_line(Command::new("date").arg("-I")),
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| String::from("unknown processor")),
        memory.unwrap_or(0) >> 20,
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    )
}

/// What a program calls itself, asked with `flag`.
pub(super) fn version(program: &Path, flag: &str) -> String {
    first_line(Command::new(program).arg(flag))
}

/// The value behind `name` in one of the kernel's `name : value` files.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

/// What a program writes first; nginx writes its version as an error.
fn first_line(command: &mut Command) -> String {
    let Ok(output) = command.output() else {
        return String::from("unknown");
    };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").trim().to_owned()
}
