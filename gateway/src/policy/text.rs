//! WebAssembly text (WAT): assembling it, and finding the line that a mistake is in.

use std::path::Path;

use wasmparser::{FunctionBody, Parser, Payload, Validator};
use wast::Wat;
use wast::core::{FuncKind, ModuleField, ModuleKind};
use wast::parser::{self, ParseBuffer};
use wast::token::Span;

use super::error::LoadError;

/// Turns text into a binary. `name` only appears in messages.
///
/// # Errors
/// [`LoadError::Wat`], which shows the line, when the text does not parse;
/// [`LoadError::Invalid`], which shows the line too, when it parses but breaks a rule, such as an
/// `i64` where an `i32` belongs.
pub(super) fn assemble(name: &str, text: &str) -> Result<Vec<u8>, LoadError> {
    let placed = |mut error: wast::Error| {
        error.set_path(Path::new(name));
        error.set_text(text);
        error.to_string()
    };
    let mut buffer = ParseBuffer::new(text).map_err(|e| LoadError::Wat(placed(e)))?;
    buffer.track_instr_spans(true);
    let mut wat = parser::parse::<Wat<'_>>(&buffer).map_err(|e| LoadError::Wat(placed(e)))?;
    let binary = wat.encode().map_err(|e| LoadError::Wat(placed(e)))?;
    let Err(error) = Validator::new().validate_all(&binary) else { return Ok(binary) };
    let message = error.message().to_owned();
    Err(LoadError::Invalid(match span(&wat, &binary, error.offset()) {
        Some(span) => placed(wast::Error::new(span, message)),
        None => message,
    }))
}

/// What stands at this offset of the binary, for messages about modules that were not text:
/// "in function 3, exported as `pick`". None outside of the code.
pub(super) fn function_at(binary: &[u8], offset: usize) -> Option<String> {
    let (mut imported, mut exports, mut bodies) = (0, Vec::new(), 0);
    for payload in Parser::new(0).parse_all(binary).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().flatten();
                imported += imports.filter(|i| matches!(i.ty, wasmparser::TypeRef::Func(_))).count();
            }
            Payload::ExportSection(section) => exports.extend(section.into_iter().flatten()),
            Payload::CodeSectionEntry(body) => {
                if body.range().contains(&offset) {
                    let index = imported + bodies;
                    let exported = exports
                        .iter()
                        .find(|e| e.kind == wasmparser::ExternalKind::Func && e.index as usize == index);
                    let known = exported.map_or_else(String::new, |e| format!(", exported as `{}`", e.name));
                    return Some(format!("in function {index}{known}"));
                }
                bodies += 1;
            }
            _ => {}
        }
    }
    None
}

/// Where in the text the instruction stands that lies at this offset of the binary.
///
/// The functions of the text and of the binary stand in the same order, and so do their
/// instructions: the n-th of one is the n-th of the other.
fn span(wat: &Wat<'_>, binary: &[u8], offset: usize) -> Option<Span> {
    let (function, instruction) = instruction_at(binary, offset)?;
    let Wat::Module(module) = wat else { return None };
    let ModuleKind::Text(fields) = &module.kind else { return None };
    let written = fields.iter().filter_map(|field| match field {
        ModuleField::Func(function) => match &function.kind {
            FuncKind::Inline { expression, .. } => Some((function.span, expression)),
            FuncKind::Import(..) => None,
        },
        _ => None,
    });
    let (whole, expression) = written.into_iter().nth(function)?;
    // The `end` of a function is not written: what is wrong there is the function as a whole.
    let spans = expression.instr_spans.as_deref().unwrap_or_default();
    Some(spans.get(instruction).copied().unwrap_or(whole))
}

/// The numbers of the function (without imported ones) and of the instruction at this offset.
fn instruction_at(binary: &[u8], offset: usize) -> Option<(usize, usize)> {
    let payloads = Parser::new(0).parse_all(binary).map_while(Result::ok);
    let bodies = payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let (function, body) = bodies.enumerate().find(|(_, body)| body.range().contains(&offset))?;
    Some((function, instructions_before(&body, offset)?))
}

/// How many instructions begin before the one at this offset.
fn instructions_before(body: &FunctionBody<'_>, offset: usize) -> Option<usize> {
    let mut operators = body.get_operators_reader().ok()?;
    let mut before = 0;
    while !operators.eof() {
        operators.read().ok()?;
        if operators.original_position() > offset {
            break;
        }
        before += 1;
    }
    Some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISTAKEN: &str = r#"(module
  (import "pointsman:policy/stats@0.1.0" "in-flight-of" (func (param i32) (result i32)))
  (func $fine (result i32)
    (i32.const 0))
  (func (export "pick") (param $key i64) (result i32)
    (local $sum i32)
    (i32.add
      (i32.const 1)
      (local.get $key))))
"#;

    #[test]
    fn a_wrong_type_is_shown_at_the_instruction_that_meets_it() {
        let error = assemble("mine.wat", MISTAKEN).unwrap_err().to_string();
        assert!(error.contains("expected i32, found i64"), "{error}");
        assert!(error.contains("mine.wat:7:6"), "{error}");
    }

    #[test]
    fn a_function_that_leaves_the_wrong_thing_is_shown_whole() {
        let text = "(module\n  (func (result i32)\n    (i64.const 1)))";
        let error = assemble("mine.wat", text).unwrap_err().to_string();
        assert!(error.contains("mine.wat:2:4"), "{error}");
    }

    #[test]
    fn in_a_binary_the_function_is_named_by_its_export() {
        let buffer = ParseBuffer::new(MISTAKEN).unwrap();
        let binary = parser::parse::<Wat<'_>>(&buffer).unwrap().encode().unwrap();
        let error = Validator::new().validate_all(&binary).err().unwrap();
        let function = function_at(&binary, error.offset());
        assert_eq!(function.as_deref(), Some("in function 2, exported as `pick`"));
    }
}
