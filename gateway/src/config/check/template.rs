//! Texts with variables.

use crate::config::fields::{Fields, Text};
use crate::config::problems::Findings;
use crate::route::Expression;
use crate::template::{Template, TemplateError};

/// Reads a text with variables; points at the variable that does not exist.
pub(super) fn template(text: Text<'_>, findings: &mut Findings) -> Option<Template> {
    said(text, Template::parse(text.text), findings)
}

/// The same where the groups of the route's expression, if it has one, are variables too.
pub(super) fn template_with(
    text: Text<'_>,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Option<Template> {
    let groups = expression.map(Expression::groups).unwrap_or_default();
    said(text, Template::parse_with(text.text, &groups), findings)
}

/// The text of a key; none if it is not written.
pub(super) fn template_of(
    fields: &Fields<'_>,
    name: &str,
    expression: Option<&Expression>,
    findings: &mut Findings,
) -> Option<Template> {
    template_with(fields.text(name, findings)?, expression, findings)
}

fn said(text: Text<'_>, read: Result<Template, TemplateError>, findings: &mut Findings) -> Option<Template> {
    match read {
        Ok(template) => Some(template),
        Err(error) => {
            let help = "docs/configuration.md lists the variables";
            findings.error(text.part(error.span()), error.to_string(), help);
            None
        }
    }
}
