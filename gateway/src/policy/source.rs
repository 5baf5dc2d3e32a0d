//! From what a user may drop into the policies' folder to the bytes of a component: a component
//! passes through, a core module is packed, text is assembled first.

use std::borrow::Cow;
use std::collections::BTreeSet;

use wasmparser::{ExternalKind, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::WorldId;

use super::error::LoadError;
use super::{package, text};

/// The module of WASI as it was before components; Go still links it into everything.
const SYSTEM: &str = "wasi_snapshot_preview1";
const ADAPTER: &[u8] = wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;

/// What a Wasm binary contains, as far as packing needs to know.
#[derive(Default)]
struct Core {
    /// Does it carry a `component-type` section, as toolchains embed it?
    has_wit: bool,
    imports: Vec<(String, String)>,
    exports: Vec<String>,
}

/// Turns `bytes` (a component, a core module, or the WAT text of either) into a component. `name`
/// only appears in messages about WAT.
///
/// # Errors
/// [`LoadError`] names line and column of the text, or the import or export at fault.
pub fn to_component<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, LoadError> {
    let binary = assemble(name, bytes)?;
    if Parser::is_component(&binary) {
        return Ok(binary);
    }
    let core = read_core(&binary).map_err(|e| LoadError::Broken(e.to_string()))?;
    check_rules(&binary)?;
    let mut module = binary.into_owned();
    if !core.has_wit {
        check_core_imports(&core)?;
        embed_wit(&mut module, &exported_interfaces(&core)?)?;
    }
    let system = core.imports.iter().any(|(module, _)| module == SYSTEM);
    pack(&module, system).map(Cow::Owned)
}

/// Text becomes binary; binary passes through.
fn assemble<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, LoadError> {
    if bytes.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(bytes));
    }
    let written = str::from_utf8(bytes).map_err(|error| LoadError::Foreign(error.to_string()))?;
    text::assemble(name, written).map(Cow::Owned)
}

fn read_core(binary: &[u8]) -> wasmparser::Result<Core> {
    let mut core = Core::default();
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::CustomSection(section) => core.has_wit |= section.name().starts_with("component-type"),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    core.imports.push((import.module.to_owned(), import.name.to_owned()));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        core.exports.push(export.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(core)
}

/// Packing would find out as well that a module is invalid, but not say where.
fn check_rules(binary: &[u8]) -> Result<(), LoadError> {
    let Err(error) = wasmparser::Validator::new().validate_all(binary) else { return Ok(()) };
    let place = text::function_at(binary, error.offset());
    let place = place.unwrap_or_else(|| format!("at offset {:#x}", error.offset()));
    Err(LoadError::Invalid(format!("{} ({place})", error.message())))
}

/// A module without WIT of its own can only import what our WIT describes.
fn check_core_imports(core: &Core) -> Result<(), LoadError> {
    for (module, name) in &core.imports {
        match package::ours(module) {
            _ if module == SYSTEM => {}
            Some((interface, version)) if package::IMPORTS.contains(&interface) => {
                if version != package::WIT_VERSION {
                    return Err(LoadError::WrongVersion { found: module.clone() });
                }
            }
            _ => {
                return Err(LoadError::RefusedImport {
                    import: format!("{module}#{name}"),
                    advice: "a core module may import `pointsman:policy/stats@0.1.0`, `request-info`, `upstream` \
                             and `log` of the same package, and nothing else",
                });
            }
        }
    }
    Ok(())
}

/// The interfaces of ours whose functions the module exports, by the names of its exports:
/// `pointsman:policy/policy@0.1.0#pick`.
fn exported_interfaces(core: &Core) -> Result<BTreeSet<&str>, LoadError> {
    let mut found = BTreeSet::new();
    for export in &core.exports {
        let Some((instance, _)) = export.split_once('#') else {
            continue;
        };
        match package::ours(instance) {
            Some((interface, package::WIT_VERSION)) if package::EXPORTS.contains(&interface) => {
                found.insert(interface);
            }
            Some((interface, _)) if package::EXPORTS.contains(&interface) => {
                return Err(LoadError::WrongVersion { found: instance.to_owned() });
            }
            _ => {}
        }
    }
    if found.contains("policy") {
        return Ok(found);
    }
    let wanted = format!("{0}#init` and `{0}#pick", package::full_name("policy"));
    let exports = listed(core.exports.iter().map(String::as_str));
    Err(LoadError::NoPolicy {
        found: format!("a core module must export the functions `{wanted}`; {exports}"),
    })
}

/// "it exports `a`, `b` and 3 more", or that there is nothing.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "it exports no function".to_owned(),
        n if n > SHOWN => format!("it exports {} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => format!("it exports {}", names.join(", ")),
    }
}

/// Adds the section that says what the module means: our world, reduced to what it exports.
fn embed_wit(module: &mut Vec<u8>, interfaces: &BTreeSet<&str>) -> Result<(), LoadError> {
    let (resolve, world) = world_of(interfaces).map_err(LoadError::Pack)?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| LoadError::Pack(format!("{error:#}")))
}

fn world_of(interfaces: &BTreeSet<&str>) -> Result<(wit_parser::Resolve, WorldId), String> {
    let (mut resolve, _) = package::parse()?;
    let exports: String =
        interfaces.iter().map(|name| format!("  export {};\n", package::full_name(name))).collect();
    let imports = package::full_name("imports");
    let text = format!("package pointsman:guest;\nworld guest {{\n  include {imports};\n{exports}}}\n");
    let guest = resolve.push_source("guest.wit", &text).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[guest], Some("guest")).map_err(|error| format!("{error:#}"))?;
    Ok((resolve, world))
}

/// `system`: does it import WASI as it was before components? Then an adapter goes in, which asks for
/// today's WASI, behind which there is nothing (`wasi.rs`).
fn pack(module: &[u8], system: bool) -> Result<Vec<u8>, LoadError> {
    let mut encoder = ComponentEncoder::default().validate(true).module(module);
    if system {
        // Go cannot hand out memory before its runtime is up, and the adapter wants some at once.
        let adapt = |e: ComponentEncoder| e.realloc_via_memory_grow(true).adapter(SYSTEM, ADAPTER);
        encoder = encoder.and_then(adapt);
    }
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| {
        let error = format!("{error:#}");
        // Where in the packer it came up helps nobody; the function and its types follow.
        let told = error.strip_prefix("failed to decode world from module: module was not valid: ");
        LoadError::Pack(told.unwrap_or(&error).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::guests;

    fn error(guest: &str) -> String {
        guests::load_error(guest).to_string()
    }

    #[test]
    fn a_core_module_with_wit_of_its_own_is_packed_as_it_is() {
        let mut module = assemble("first", &guests::text("first")).unwrap().into_owned();
        let only_policy = BTreeSet::from(["policy"]);
        embed_wit(&mut module, &only_policy).unwrap();
        assert!(read_core(&module).unwrap().has_wit);
        let component = to_component("first", &module).unwrap();
        assert!(Parser::is_component(&component));
    }

    #[test]
    fn a_component_passes_through_unchanged() {
        let component = to_component("first", &guests::text("first")).unwrap().into_owned();
        assert!(
            matches!(to_component("first", &component).unwrap(), Cow::Borrowed(bytes) if bytes == component)
        );
    }

    #[test]
    fn a_mistake_in_the_text_is_shown_at_its_place() {
        let error = error("misspelt");
        assert!(error.contains("unknown operator"), "{error}");
        assert!(error.contains("misspelt:17:6"), "{error}");
    }

    #[test]
    fn what_is_neither_binary_nor_text_says_so() {
        let error = to_component("photo", b"\x89PNG\r\n").unwrap_err();
        assert!(matches!(error, LoadError::Foreign(_)), "{error}");
    }

    #[test]
    fn a_core_module_may_import_only_what_policies_get() {
        let error = error("wants_the_clock");
        assert!(error.contains("imports `wasi:clocks/monotonic-clock@0.2.6#now`"), "{error}");
        assert!(error.contains("may import `pointsman:policy/stats@0.1.0`"), "{error}");
    }

    #[test]
    fn the_wasi_of_before_components_is_adapted_and_has_nothing_behind_it() {
        let import = "(import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32)))";
        let text = String::from_utf8(guests::text("first")).unwrap().replacen(
            "(module",
            &format!("(module {import}"),
            1,
        );
        let policy = crate::policy::Policy::load(guests::engine(), "go", text.as_bytes()).unwrap();
        assert!(policy.imports().iter().all(|import| import.starts_with("wasi:")), "{:?}", policy.imports());
        assert!(policy.instantiate(guests::birth(2)).is_ok());
    }

    #[test]
    fn another_version_of_the_package_is_named() {
        let error = error("wrong_version");
        assert!(error.contains("uses `pointsman:policy/policy@0.2.0`"), "{error}");
        assert!(error.contains("speaks version 0.1.0"), "{error}");
    }

    #[test]
    fn exports_with_other_names_are_listed_beside_those_that_are_wanted() {
        let error = error("no_policy");
        assert!(error.contains("`pointsman:policy/policy@0.1.0#pick`"), "{error}");
        assert!(error.contains("it exports `init`, `pick`"), "{error}");
    }

    #[test]
    fn functions_that_are_missing_or_have_other_types_are_named() {
        assert!(error("half_state").contains("restore"), "{}", error("half_state"));
        assert!(error("wrong_shape").contains("pick"), "{}", error("wrong_shape"));
    }

    #[test]
    fn fuzz_policy_file() {
        let words = [
            "(module",
            "(component",
            "(func",
            "(import",
            "(export",
            ")",
            "\0asm",
            "\"",
            "i32",
            "pointsman:policy/policy@0.1.0#pick",
            "\u{fe}",
        ];
        crate::fuzz::fuzz_times(1_000, "policy_file", &words, |input| {
            match to_component("fuzzed.wat", input) {
                Ok(component) => assert!(Parser::is_component(&component)),
                Err(why) => assert!(!why.to_string().is_empty()),
            }
        });
    }
}
