//! Texts with variables.

use crate::config::fields::Text;
use crate::config::problems::Findings;
use crate::template::Template;

/// Reads a text with variables; points at the variable that does not exist.
pub(super) fn template(text: Text<'_>, findings: &mut Findings) -> Option<Template> {
    match Template::parse(text.text) {
        Ok(template) => Some(template),
        Err(error) => {
            let help = "docs/configuration.md lists the variables";
            findings.error(text.part(error.span()), error.to_string(), help);
            None
        }
    }
}
