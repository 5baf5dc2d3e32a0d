//! A policy, compiled and linked as far as it goes without an instance.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentNamedList, InstancePre, Lift, Lower};
use xxhash_rust::xxh3::xxh3_128;

use super::bindings::exports::pointsman::policy::{explain, feedback, policy, state, timer};
use super::bindings::pointsman::policy::types;
use super::error::LoadError;
use super::view::View;
use super::{Engine, package, source, wasi};

/// Hexadecimal digits of a version: enough to tell versions of one policy apart.
const VERSION_DIGITS: usize = 12;

/// One version of a policy: a compiled component, of which instances are born.
pub struct Policy {
    name: Arc<str>,
    version: Box<str>,
    pub(super) engine: Engine,
    pub(super) compiled: Arc<Compiled>,
}

/// What does not depend on the name a policy goes by.
pub(super) struct Compiled {
    pub(super) pre: InstancePre<View>,
    pub(super) exports: Exports,
    imports: Vec<Box<str>>,
    /// Does it ask about requests at all?
    wants_request_info: bool,
    /// Does it ask for more than `tried`, which is empty at the first attempt?
    wants_facts_at_once: bool,
}

/// Where the exports are; none where an optional interface is absent.
pub(super) struct Exports {
    pub(super) policy: policy::GuestIndices,
    pub(super) feedback: Option<feedback::GuestIndices>,
    pub(super) timer: Option<timer::GuestIndices>,
    pub(super) state: Option<state::GuestIndices>,
    pub(super) explain: Option<explain::GuestIndices>,
}

impl Policy {
    /// Makes a policy of `bytes`: a component, a core module, or the WAT text of either. Compiling
    /// takes 10 ms for a small component and seconds for an interpreter, so this does not belong
    /// on a worker. Bytes that are in use already are not compiled again.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the file and how to mend it.
    pub fn load(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Arc<Self>, LoadError> {
        let hash = xxh3_128(bytes);
        let compiled = match engine.recall(hash) {
            Some(compiled) => compiled,
            None => {
                let compiled = Arc::new(Compiled::new(engine, &source::to_component(name, bytes)?)?);
                engine.remember(hash, &compiled);
                compiled
            }
        };
        let version = format!("{hash:032x}")[..VERSION_DIGITS].into();
        Ok(Arc::new(Self { name: name.into(), version, engine: engine.clone(), compiled }))
    }

    /// The version that [`Policy::load`] would give to these bytes, without compiling them.
    #[must_use]
    pub fn version_of(bytes: &[u8]) -> String {
        format!("{:032x}", xxh3_128(bytes))[..VERSION_DIGITS].to_owned()
    }

    /// The name it goes by: that of its file, or of a built-in policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Its version: the first 12 hexadecimal digits of the XXH3-128 hash of the file.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The interfaces of the package that it exports, `policy` first.
    #[must_use]
    pub fn exports(&self) -> Vec<&'static str> {
        let exports = &self.compiled.exports;
        let there = [
            true,
            exports.feedback.is_some(),
            exports.timer.is_some(),
            exports.state.is_some(),
            exports.explain.is_some(),
        ];
        package::EXPORTS.into_iter().zip(there).filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    /// The functions that it imports, sorted: `stats#in-flight`, `wasi:cli/environment@0.2.6#get-environment`.
    #[must_use]
    pub fn imports(&self) -> &[Box<str>] {
        &self.compiled.imports
    }

    /// Does it ask about requests? If not, the caller of `pick` need not gather facts.
    #[must_use]
    pub fn wants_request_info(&self) -> bool {
        self.compiled.wants_request_info
    }

    /// Would it see a difference if no facts were lent to it at this attempt? Most policies only ask
    /// what was tried, and lending is a noticeable part of what a pick costs.
    pub(super) fn wants_facts(&self, attempt: u32) -> bool {
        self.compiled.wants_facts_at_once || (self.compiled.wants_request_info && attempt > 0)
    }

    /// Does it ask what backends report of themselves?
    #[must_use]
    pub fn wants_reports(&self) -> bool {
        self.compiled.imports.iter().any(|import| &**import == "stats#report-of")
    }

    /// Does it want to be told how attempts ended?
    #[must_use]
    pub fn wants_feedback(&self) -> bool {
        self.compiled.exports.feedback.is_some()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({} {})", self.name, self.version)
    }
}

impl Compiled {
    fn new(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let validated = wasmparser::Parser::new(0).parse_all(bytes).find_map(Result::err);
        if let Some(error) = validated {
            return Err(LoadError::Broken(error.to_string()));
        }
        let component = engine.compile(bytes).map_err(|e| LoadError::Compile(format!("{e:#}")))?;
        let imports = imports_of(&component)?;
        let exports = check_exports(&component)?;
        let mut linker = engine.linker();
        wasi::stub(&mut linker, &component).map_err(|e| LoadError::Compile(format!("{e:#}")))?;
        let pre = linker.instantiate_pre(&component).map_err(|e| LoadError::Compile(format!("{e:#}")))?;
        let exports = exports.locate(&pre)?;
        let asked = || imports.iter().filter_map(|import| import.strip_prefix("request-info#"));
        let (wants_request_info, wants_facts_at_once) = (asked().count() > 0, asked().any(|f| f != "tried"));
        Ok(Self { pre, exports, imports, wants_request_info, wants_facts_at_once })
    }
}

/// Checks each import against what policies get, and names all imported functions.
fn imports_of(component: &Component) -> Result<Vec<Box<str>>, LoadError> {
    let engine = component.engine();
    let mut functions = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let instance = match &import.ty {
            ComponentItem::ComponentInstance(instance) => instance,
            // A world that uses a type by name imports the type; there is nothing to call in it.
            ComponentItem::Type(_) => continue,
            _ => return Err(wasi::refused(name)),
        };
        let shown = match package::ours(name) {
            Some((interface, version)) if package::IMPORTS.contains(&interface) => {
                if !package::fits(version) {
                    return Err(LoadError::WrongVersion { found: name.to_owned() });
                }
                interface
            }
            _ if wasi::is_inert(name) => name,
            _ => return Err(wasi::refused(name)),
        };
        let items =
            instance.exports(engine).filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
        functions.extend(items.map(|(function, _)| format!("{shown}#{function}").into_boxed_str()));
    }
    functions.sort();
    Ok(functions)
}

/// The optional interfaces that a component exports; the required one is there.
struct Found([bool; package::EXPORTS.len()]);

fn check_exports(component: &Component) -> Result<Found, LoadError> {
    let engine = component.engine();
    let component_type = component.component_type();
    let mut there = [false; package::EXPORTS.len()];
    for (name, _) in component_type.exports(engine) {
        let Some((interface, version)) = package::ours(name) else {
            continue;
        };
        let Some(at) = package::EXPORTS.iter().position(|known| *known == interface) else {
            continue;
        };
        if !package::fits(version) {
            return Err(LoadError::WrongVersion { found: name.to_owned() });
        }
        there[at] = true;
    }
    if !there[0] {
        let found = source::listed(component_type.exports(engine).map(|(name, _)| name));
        return Err(LoadError::NoPolicy { found });
    }
    check_shapes(component, &there)?;
    Ok(Found(there))
}

/// Compares the types of all functions, so that a mismatch is told at load and not at birth.
fn check_shapes(component: &Component, there: &[bool]) -> Result<(), LoadError> {
    let check = Shapes { component };
    check.function::<(String, Vec<policy::Backend>, u64), (Result<(), String>,)>("policy", "init")?;
    check.function::<(types::Request,), (types::Choice,)>("policy", "pick")?;
    if there[1] {
        check.function::<(types::Outcome,), ()>("feedback", "done")?;
    }
    if there[2] {
        check.function::<(), (u32,)>("timer", "period")?;
        check.function::<(u64,), ()>("timer", "tick")?;
    }
    if there[3] {
        check.function::<(), (Vec<u8>,)>("state", "save")?;
        check.function::<(Vec<u8>,), ()>("state", "restore")?;
    }
    if there[4] {
        check.function::<(types::Request,), (String,)>("explain", "explain")?;
    }
    Ok(())
}

struct Shapes<'a> {
    component: &'a Component,
}

impl Shapes<'_> {
    fn function<P, R>(&self, interface: &str, name: &str) -> Result<(), LoadError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let wrong = |why: String| LoadError::WrongShape { interface: package::full_name(interface), why };
        let function =
            self.find(interface, name).ok_or_else(|| wrong(format!("the function `{name}` is missing")))?;
        let component_type = self.component.component_type();
        let checked = function.typecheck::<P, R>(&component_type.instance_type());
        checked.map_err(|error| wrong(format!("function `{name}`: {error:#}")))
    }

    fn find(&self, interface: &str, name: &str) -> Option<ComponentFunc> {
        let (instance, _) = self.component.get_export(None, package::full_name(interface))?;
        let ComponentItem::ComponentInstance(instance) = instance else {
            return None;
        };
        match instance.get_export(self.component.engine(), name)?.ty {
            ComponentItem::ComponentFunc(function) => Some(function),
            _ => None,
        }
    }
}

impl Found {
    /// Looks the exports up once, so that a birth needs no names.
    fn locate(&self, pre: &InstancePre<View>) -> Result<Exports, LoadError> {
        let Self([_, feedback, timer, state, explain]) = self;
        let failed = |e: wasmtime::Error| LoadError::Compile(format!("{e:#}"));
        Ok(Exports {
            policy: policy::GuestIndices::new(pre).map_err(failed)?,
            feedback: feedback.then(|| feedback::GuestIndices::new(pre)).transpose().map_err(failed)?,
            timer: timer.then(|| timer::GuestIndices::new(pre)).transpose().map_err(failed)?,
            state: state.then(|| state::GuestIndices::new(pre)).transpose().map_err(failed)?,
            explain: explain.then(|| explain::GuestIndices::new(pre)).transpose().map_err(failed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::guests;

    #[test]
    fn a_policy_knows_what_it_exports_and_imports() {
        let policy = guests::load("by_header");
        assert_eq!(policy.exports(), ["policy"]);
        assert_eq!(policy.imports(), ["request-info#header".into()]);
        assert!(policy.wants_request_info());
        assert_eq!(guests::load("timer").exports(), ["policy", "timer"]);
        assert!(!guests::load("least_busy").wants_request_info());
    }

    #[test]
    fn the_network_is_refused_by_name_with_advice() {
        let error = guests::load_error("wants_sockets").to_string();
        assert!(error.contains("`wasi:sockets/instance-network@0.2.6`"), "{error}");
        assert!(error.contains("--stub-wasi"), "{error}");
    }

    #[test]
    fn a_component_that_is_no_policy_says_what_it_exports() {
        let error = Policy::load(guests::engine(), "empty", b"(component)").unwrap_err().to_string();
        assert!(error.contains("does not export `pointsman:policy/policy@0.1.0`"), "{error}");
    }

    #[test]
    fn a_component_for_another_version_says_which_is_wanted() {
        let text = b"(component (import \"pointsman:policy/stats@0.3.0\" (instance)))";
        let error = Policy::load(guests::engine(), "old", text).unwrap_err();
        assert_eq!(error, LoadError::WrongVersion { found: "pointsman:policy/stats@0.3.0".into() });
    }
}
