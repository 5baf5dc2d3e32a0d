//! What stands where toolchains expect an operating system: nothing, behind the right doors.
//!
//! Many languages link WASI into every component, used or not. A policy gets empty environment
//! and arguments, no files, a clock that stands still (never at 0: Go dies of that), random numbers that
//! its `seed` decides, and an output that goes to the log. Every other function of these packages
//! traps when it is called. Sockets and HTTP are refused by name when the policy is loaded.

use wasmtime::component::{
    Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};
use wasmtime::{Result, StoreContextMut, format_err};

use super::error::LoadError;
use super::journal::Level;
use super::view::View;

type Caller<'a> = StoreContextMut<'a, View>;

/// Interfaces, up to the version, that a component may import without getting anything.
const INERT: [&str; 6] = [
    "wasi:cli/",
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:filesystem/types@",
    "wasi:filesystem/preopens@",
];
/// What both clocks always show, in their units.
const STANDSTILL: u64 = 1;
/// Most random bytes given in one call, and most bytes of output taken in one.
const MOST_BYTES: u64 = 65_536;

/// Does this import get a stub?
pub(super) fn is_inert(import: &str) -> bool {
    INERT.iter().any(|prefix| import.starts_with(prefix))
}

/// The error for an import that policies do not get, with the advice that fits.
pub(super) fn refused(import: &str) -> LoadError {
    let advice = if import.starts_with("wasi:sockets/") || import.starts_with("wasi:http/") {
        "a policy has no network; build it without (Python: `componentize-py ... --stub-wasi`, \
         JavaScript: `componentize-qjs ... --stub-wasi` or `componentize-js -d http fetch-event`)"
    } else if import.starts_with("wasi:filesystem/") {
        "a policy has no files; put what it needs to know into its options"
    } else if import.starts_with("pointsman:policy/") {
        "the package has no such interface for policies to import; there are `stats`, `request-info`, `upstream` and `log`"
    } else {
        "a policy may import `stats`, `request-info`, `upstream` and `log` of `pointsman:policy@0.1.0`, and nothing else"
    };
    LoadError::RefusedImport { import: import.to_owned(), advice }
}

/// Defines whatever of WASI the component imports: the stubs below, and traps for the rest.
pub(super) fn stub(linker: &mut Linker<View>, component: &Component) -> Result<()> {
    for (name, _) in component.component_type().imports(component.engine()) {
        let Some((interface, _)) = name.strip_prefix("wasi:").and_then(|name| name.split_once('@')) else {
            continue;
        };
        let mut instance = linker.instance(name)?;
        match interface {
            "cli/environment" => environment(&mut instance)?,
            "cli/exit" => exit(&mut instance)?,
            "cli/stdin" => instance.func_wrap("get-stdin", |_, ()| Ok((Resource::<Input>::new_own(0),)))?,
            "cli/stdout" => {
                instance.func_wrap("get-stdout", |_, ()| Ok((Resource::<Output>::new_own(STDOUT),)))?
            }
            "cli/stderr" => {
                instance.func_wrap("get-stderr", |_, ()| Ok((Resource::<Output>::new_own(STDERR),)))?
            }
            "cli/terminal-input" => resource::<TerminalIn>(&mut instance, "terminal-input")?,
            "cli/terminal-output" => resource::<TerminalOut>(&mut instance, "terminal-output")?,
            "cli/terminal-stdin" => no_terminal::<TerminalIn>(&mut instance, "get-terminal-stdin")?,
            "cli/terminal-stdout" => no_terminal::<TerminalOut>(&mut instance, "get-terminal-stdout")?,
            "cli/terminal-stderr" => no_terminal::<TerminalOut>(&mut instance, "get-terminal-stderr")?,
            "io/error" => resource::<Failure>(&mut instance, "error")?,
            "io/streams" => streams(&mut instance)?,
            "clocks/monotonic-clock" => {
                instance.func_wrap("now", |_, ()| Ok((STANDSTILL,)))?;
                instance.func_wrap("resolution", |_, ()| Ok((STANDSTILL,)))?;
            }
            "clocks/wall-clock" => {
                instance.func_wrap("now", |_, ()| Ok((Datetime { seconds: STANDSTILL, nanoseconds: 0 },)))?;
                instance.func_wrap("resolution", |_, ()| {
                    Ok((Datetime { seconds: STANDSTILL, nanoseconds: 0 },))
                })?;
            }
            "random/random" => random(&mut instance, "get-random-bytes", "get-random-u64")?,
            "random/insecure" => {
                random(&mut instance, "get-insecure-random-bytes", "get-insecure-random-u64")?
            }
            "random/insecure-seed" => insecure_seed(&mut instance)?,
            "filesystem/types" => resource::<Descriptor>(&mut instance, "descriptor")?,
            "filesystem/preopens" => instance
                .func_wrap("get-directories", |_, ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))?,
            _ => {}
        }
    }
    linker.define_unknown_imports_as_traps(component)
}

/// Numbers of the two outputs.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

// Kinds of handles. Nothing stands behind them.
struct Input;
struct Output;
struct Failure;
struct TerminalIn;
struct TerminalOut;
struct Descriptor;

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<Failure>),
    #[component(name = "closed")]
    Closed,
}

fn resource<R: 'static>(instance: &mut LinkerInstance<'_, View>, name: &str) -> Result<()> {
    instance.resource(name, ResourceType::host::<R>(), |_, _| Ok(()))
}

fn no_terminal<R: 'static>(instance: &mut LinkerInstance<'_, View>, name: &str) -> Result<()> {
    instance.func_wrap(name, |_, ()| Ok((None::<Resource<R>>,)))
}

fn environment(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    instance.func_wrap("get-environment", |_, ()| Ok((Vec::<(String, String)>::new(),)))?;
    instance.func_wrap("get-arguments", |_, ()| Ok((Vec::<String>::new(),)))?;
    instance.func_wrap("initial-cwd", |_, ()| Ok((None::<String>,)))
}

fn exit(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    instance.func_wrap("exit", |_, (_,): (Result<(), ()>,)| -> Result<()> {
        Err(format_err!("the policy called exit"))
    })
}

fn streams(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    resource::<Input>(instance, "input-stream")?;
    resource::<Output>(instance, "output-stream")?;
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        instance
            .func_wrap(read, |_, _: (Resource<Input>, u64)| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))?;
    }
    instance.func_wrap("[method]output-stream.check-write", |_, _: (Resource<Output>,)| {
        Ok((Ok::<_, StreamError>(MOST_BYTES),))
    })?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        instance.func_wrap(write, |caller, (to, text): (Resource<Output>, Vec<u8>)| {
            print(caller, to.rep(), &text);
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        instance.func_wrap(flush, |_, _: (Resource<Output>,)| Ok((Ok::<_, StreamError>(()),)))?;
    }
    Ok(())
}

/// What a guest prints goes to the log; on `stderr` lie the words of its panics.
fn print(mut caller: Caller<'_>, to: u32, text: &[u8]) {
    let level = if to == STDERR { Level::Warn } else { Level::Info };
    let View { journal, now, .. } = caller.data_mut();
    for line in String::from_utf8_lossy(text).lines().filter(|line| !line.trim().is_empty()) {
        journal.write(level, line, *now);
    }
}

fn random(instance: &mut LinkerInstance<'_, View>, bytes: &str, number: &str) -> Result<()> {
    instance.func_wrap(bytes, |mut caller: Caller<'_>, (length,): (u64,)| {
        if length > MOST_BYTES {
            return Err(format_err!(
                "the policy wants {length} random bytes at once, more than {MOST_BYTES}"
            ));
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            bytes.extend_from_slice(&caller.data_mut().roll().to_le_bytes());
        }
        bytes.truncate(length as usize);
        Ok((bytes,))
    })?;
    instance.func_wrap(number, |mut caller: Caller<'_>, ()| Ok((caller.data_mut().roll(),)))
}

fn insecure_seed(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    // Version 0.2 of the package has the first name, later drafts the second.
    for name in ["insecure-seed", "get-insecure-seed"] {
        instance.func_wrap(name, |mut caller: Caller<'_>, ()| {
            let view = caller.data_mut();
            Ok(((view.roll(), view.roll()),))
        })?;
    }
    Ok(())
}
