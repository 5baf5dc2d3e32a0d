//! What stands where toolchains expect an operating system: nothing, behind the right doors.
//!
//! Many languages link WASI into every component, used or not. A policy gets empty environment
//! and arguments, no files, a clock that stands still (never at 0: Go dies of that), random numbers that
//! its `seed` decides, and an output that goes to the log. Every other function of these packages
//! traps when it is called. Sockets and HTTP are refused by name when the policy is loaded.

use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource};
use wasmtime::{Result, StoreContextMut, format_err};

use super::error::LoadError;
use super::journal::Output;
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
        if let Some((interface, _)) = name.strip_prefix("wasi:").and_then(|name| name.split_once('@')) {
            define(&mut linker.instance(name)?, interface)?;
        }
    }
    linker.define_unknown_imports_as_traps(component)
}

fn define(instance: &mut LinkerInstance<'_, View>, interface: &str) -> Result<()> {
    match interface {
        "cli/environment" => environment(instance),
        "cli/exit" => exit(instance),
        "cli/stdin" => handle(instance, "get-stdin", 0),
        "cli/stdout" => handle(instance, "get-stdout", STDOUT),
        "cli/stderr" => handle(instance, "get-stderr", STDERR),
        "cli/terminal-stdin" => no_terminal(instance, "get-terminal-stdin"),
        "cli/terminal-stdout" => no_terminal(instance, "get-terminal-stdout"),
        "cli/terminal-stderr" => no_terminal(instance, "get-terminal-stderr"),
        "io/streams" => streams(instance),
        "io/poll" => poll(instance),
        "clocks/monotonic-clock" => clock(instance, STANDSTILL),
        "clocks/wall-clock" => clock(instance, Datetime { seconds: STANDSTILL, nanoseconds: 0 }),
        "random/random" => random(instance, "get-random-bytes", "get-random-u64"),
        "random/insecure" => random(instance, "get-insecure-random-bytes", "get-insecure-random-u64"),
        "random/insecure-seed" => insecure_seed(instance),
        "filesystem/preopens" => no_files(instance),
        _ => Ok(()),
    }
}

/// Numbers of the two outputs.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// A handle to anything. Nothing stands behind it, so one kind serves for all resources; it is
/// the one that `define_unknown_imports_as_traps` gives them, wherever an interface repeats them.
type Handle = Resource<()>;

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
    LastOperationFailed(Handle),
    #[component(name = "closed")]
    Closed,
}

/// A function that gives out one handle, always the same.
fn handle(instance: &mut LinkerInstance<'_, View>, name: &str, number: u32) -> Result<()> {
    instance.func_wrap(name, move |_, ()| Ok((Handle::new_own(number),)))
}

fn no_terminal(instance: &mut LinkerInstance<'_, View>, name: &str) -> Result<()> {
    instance.func_wrap(name, |_, ()| Ok((None::<Handle>,)))
}

fn no_files(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    instance.func_wrap("get-directories", |_, ()| Ok((Vec::<(Handle, String)>::new(),)))
}

/// A clock that always shows the same, and measures in steps of that.
fn clock<T>(instance: &mut LinkerInstance<'_, View>, shown: T) -> Result<()>
where
    T: ComponentType + Lower + Copy + Send + Sync + 'static,
{
    instance.func_wrap("now", move |_, ()| Ok((shown,)))?;
    instance.func_wrap("resolution", move |_, ()| Ok((shown,)))
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

/// Only streams can be waited for, and they are always ready. Sleeping cannot be asked for: the
/// clock's `subscribe` functions trap.
fn poll(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    instance.func_wrap("[method]pollable.block", |_, _: (Handle,)| Ok(()))?;
    instance.func_wrap("[method]pollable.ready", |_, _: (Handle,)| Ok((true,)))?;
    instance.func_wrap("poll", |_, (waited,): (Vec<Handle>,)| {
        Ok(((0..).take(waited.len()).collect::<Vec<u32>>(),))
    })
}

fn streams(instance: &mut LinkerInstance<'_, View>) -> Result<()> {
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        instance.func_wrap(read, |_, _: (Handle, u64)| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))?;
    }
    instance.func_wrap("[method]output-stream.check-write", |_, _: (Handle,)| {
        Ok((Ok::<_, StreamError>(MOST_BYTES),))
    })?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        instance.func_wrap(write, |caller, (to, text): (Handle, Vec<u8>)| {
            print(caller, to.rep(), &text);
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    for subscribe in ["[method]input-stream.subscribe", "[method]output-stream.subscribe"] {
        instance.func_wrap(subscribe, |_, _: (Handle,)| Ok((Handle::new_own(0),)))?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        instance.func_wrap(flush, |_, _: (Handle,)| Ok((Ok::<_, StreamError>(()),)))?;
    }
    Ok(())
}

/// What a guest prints goes to the log; on `stderr` lie the words of its panics.
fn print(mut caller: Caller<'_>, to: u32, text: &[u8]) {
    let View { journal, now, .. } = caller.data_mut();
    if to == STDERR {
        journal.print(Output::Stderr, text, *now);
    } else {
        journal.print(Output::Stdout, text, *now);
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

#[cfg(test)]
mod tests {
    use wit_component::{StringEncoding, embed_component_metadata};

    use crate::policy::{Ask, Choice, Facts, Fault, Instance, Policy, guests, package};

    /// The part of WASI that the guest uses, under the version that current toolchains link.
    const WASI: &str = "
        package wasi:test-root;
        package wasi:io@0.2.6 {
            interface poll { resource pollable { block: func(); } }
            interface error { resource error; }
            interface streams {
                use error.{error};
                resource output-stream {
                    blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
                }
                variant stream-error { last-operation-failed(error), closed }
            }
        }
        package wasi:clocks@0.2.6 {
            interface monotonic-clock {
                use wasi:io/poll@0.2.6.{pollable};
                now: func() -> u64;
                subscribe-duration: func(when: u64) -> pollable;
            }
        }
        package wasi:random@0.2.6 {
            interface random { get-random-u64: func() -> u64; }
        }
        package wasi:cli@0.2.6 {
            interface environment { get-environment: func() -> list<tuple<string, string>>; }
            interface exit { exit: func(status: result); }
            interface stderr {
                use wasi:io/streams@0.2.6.{output-stream};
                get-stderr: func() -> output-stream;
            }
        }";
    const WORLD: &str = "
        package test:guest;
        world guest {
            include pointsman:policy/plain@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.6;
            import wasi:random/random@0.2.6;
            import wasi:cli/environment@0.2.6;
            import wasi:cli/exit@0.2.6;
            import wasi:cli/stderr@0.2.6;
        }";

    /// `uses_wasi.wat`, with WASI's types embedded as toolchains do.
    fn born() -> Instance {
        let (mut resolve, _) = package::parse().unwrap();
        resolve.push_source("wasi.wit", WASI).unwrap();
        let guest = resolve.push_source("guest.wit", WORLD).unwrap();
        let world = resolve.select_world(&[guest], None).unwrap();
        let mut module = guests::assembled("uses_wasi");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let policy = Policy::load(guests::engine(), "uses_wasi", &module).unwrap();
        policy.instantiate(guests::birth(2)).unwrap()
    }

    fn attempt(instance: &mut Instance, attempt: u32) -> Result<Choice, Fault> {
        instance.pick(&Ask { attempt, now: 1, ..Ask::default() }, &mut Facts::default())
    }

    #[test]
    fn the_clock_stands_still_but_not_at_zero() {
        let mut instance = born();
        for _ in 0..2 {
            assert_eq!(attempt(&mut instance, 0), Ok(Choice::Reject(401)));
        }
    }

    #[test]
    fn there_is_no_environment() {
        assert_eq!(attempt(&mut born(), 1), Ok(Choice::Reject(400)));
    }

    #[test]
    fn output_goes_to_the_log_and_the_pick_goes_on() {
        assert_eq!(attempt(&mut born(), 2), Ok(Choice::Reject(402)));
    }

    #[test]
    fn random_numbers_follow_from_the_seed() {
        let rolled = |instance: &mut Instance| [(); 8].map(|()| attempt(instance, 3).unwrap());
        let (first, again) = (rolled(&mut born()), rolled(&mut born()));
        assert_eq!(first, again, "the same seed");
        assert!(first.iter().any(|one| *one != first[0]), "{first:?}");
    }

    #[test]
    fn leaving_is_a_trap_and_so_is_sleeping() {
        let why = |number| attempt(&mut born(), number).unwrap_err().to_string();
        assert!(why(4).contains("called exit"), "{}", why(4));
        let sleep =
            "called `wasi:clocks/monotonic-clock@0.2.6#subscribe-duration`, which policies do not get";
        assert!(why(5).contains(sleep), "{}", why(5));
    }
}
