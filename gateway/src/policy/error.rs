//! Why a file is not a policy.

use super::package::WIT_VERSION;

/// A file that cannot serve as a policy. Each text says what is wrong and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// WAT that does not parse; the text names line and column and shows the place.
    #[error("the text is not WebAssembly text (WAT):\n{0}")]
    Wat(String),
    /// WebAssembly that breaks a rule, most often a type where another belongs; the text names the
    /// line, or the function of a binary.
    #[error("the module breaks a rule of WebAssembly:\n{0}")]
    Invalid(String),
    /// Neither WebAssembly nor text.
    #[error("the file is neither WebAssembly (`\\0asm`) nor WebAssembly text (WAT): {0}")]
    Foreign(String),
    /// WebAssembly that ends early or breaks its own rules.
    #[error("the file is not valid WebAssembly, perhaps not copied whole: {0}")]
    Broken(String),
    /// A core module that cannot be made a component; the text names the import or export.
    #[error("the core module cannot be made a component: {0}")]
    Pack(String),
    /// An import that policies do not get.
    #[error("the policy imports `{import}`, which policies do not get: {advice}")]
    RefusedImport {
        /// Full name of the import.
        import: String,
        /// How to mend it.
        advice: &'static str,
    },
    /// Written against another version of the package.
    #[error(
        "the policy uses `{found}`, but this gateway speaks version {WIT_VERSION}: \
         rebuild the policy with the files of `wit/` that come with the gateway"
    )]
    WrongVersion {
        /// Full name of the interface as the policy has it.
        found: String,
    },
    /// No interface `policy` is exported.
    #[error("the policy does not export `pointsman:policy/policy@{WIT_VERSION}`; {found}")]
    NoPolicy {
        /// What it exports instead.
        found: String,
    },
    /// An interface that is exported in part, or with other types.
    #[error("the policy's export `{interface}` does not match `wit/`: {why}")]
    WrongShape {
        /// Full name of the interface.
        interface: String,
        /// The function, and what is wrong with it.
        why: String,
    },
    /// The compiler, or the linker, refused.
    #[error("the policy does not compile: {0}")]
    Compile(String),
}
