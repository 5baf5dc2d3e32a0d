//! A configuration file as the user wrote it: every value with its place, nothing judged yet
//! except the syntax and the references to the environment.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::env::{self, Environment};
use super::place::{Place, Sources};
use super::problems::Findings;

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value of TOML.
#[derive(Debug)]
pub(super) enum Value {
    Text {
        text: String,
        /// Whether the file reads exactly like the text, between two quotes: then a place within
        /// the text is a place in the file.
        verbatim: bool,
    },
    Integer(i64),
    Float(f64),
    Flag(bool),
    /// A date or time, which no key takes but a policy's option might.
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Something whose value is not known; that is already a finding.
    Unknown,
}

/// One `key = value`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

/// One file.
#[derive(Debug)]
pub(super) struct File {
    /// The file as a whole.
    pub(super) place: Place,
    /// The folder that its relative paths start from.
    pub(super) folder: PathBuf,
    /// Its keys, in the order of the file.
    pub(super) entries: Vec<Entry>,
}

impl Value {
    /// What it is, with article, for a message.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Text { .. } => "a text",
            Self::Integer(_) => "a number",
            Self::Float(_) => "a fraction",
            Self::Flag(_) => "`true` or `false`",
            Self::Date(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Unknown => "unknown",
        }
    }
}

/// Reads files: keeps their text for later, and finds what is wrong with their form.
pub(super) struct Reader<'a> {
    pub(super) sources: Sources,
    pub(super) findings: Findings,
    environment: Environment<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: Environment<'a>) -> Self {
        Self { sources: Sources::default(), findings: Findings::default(), environment }
    }

    /// Reads one file. `asked` is where it was asked for; none for the main file.
    pub(super) fn read(&mut self, path: &Path, asked: Option<Place>) -> Option<File> {
        match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => self.parse(path, &text),
            Ok(Err(error)) => {
                let bytes = error.utf8_error().valid_up_to();
                let line = 1 + error.as_bytes()[..bytes].iter().filter(|b| **b == b'\n').count();
                let why = format!("line {line} is not UTF-8");
                self.unreadable(path, asked, &why, "save the file in UTF-8");
                None
            }
            Err(error) => {
                self.unreadable(path, asked, &error.to_string(), "check its path and its permissions");
                None
            }
        }
    }

    fn unreadable(&mut self, path: &Path, asked: Option<Place>, why: &str, help: &str) {
        let place = asked.unwrap_or_else(|| Place::whole(self.sources.add(path.to_owned(), String::new())));
        self.findings.error(place, format!("cannot read `{}`: {why}", path.display()), help);
    }

    fn parse(&mut self, path: &Path, text: &str) -> Option<File> {
        let file = self.sources.add(path.to_owned(), text.to_owned());
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let place = error.span().map_or(Place::whole(file), |span| syntax_place(file, text, &span));
            let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
            let help = match (what, expected) {
                ("duplicate key", _) => "keep one of them".to_owned(),
                ("string values must be quoted", _) => format!("write `\"{}\"`", place.slice(text)),
                (_, "") => "TOML does not allow this here".to_owned(),
                (_, expected) => format!("expected {expected}"),
            };
            self.findings.error(place, format!("this is not TOML: {what}"), help);
        }
        if !errors.is_empty() {
            return None;
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let entries = Tree { file, text, reader: self }.entries(table.get_ref());
        Some(File { place: Place::whole(file), folder, entries })
    }
}

/// The parser may point at nothing (the end of a line or of the file); there must be something
/// for the caret to stand under.
fn syntax_place(file: usize, text: &str, span: &Range<usize>) -> Place {
    let start = span.start.min(text.len());
    let start = if text[start..].trim().is_empty() { text.trim_end().len() } else { start };
    Place::new(file, start..span.end.clamp(start, text.len()).max((start + 1).min(text.len())))
}

/// Turns the parser's tree into ours.
struct Tree<'r, 'a> {
    file: usize,
    text: &'r str,
    reader: &'r mut Reader<'a>,
}

impl Tree<'_, '_> {
    fn entries(&mut self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                place: Place::new(self.file, key.span()),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.place);
        entries
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = Place::new(self.file, value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => self.text(place, text),
            DeValue::Integer(number) => self.integer(place, number.as_str(), number.radix()),
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Array(list) => self.list(list),
            DeValue::Table(table) => Value::Table(self.entries(table)),
        };
        Node { place, value }
    }

    fn list(&mut self, list: &DeArray<'_>) -> Value {
        Value::List(list.iter().map(|value| self.node(value)).collect())
    }

    fn integer(&mut self, place: Place, digits: &str, radix: u32) -> Value {
        i64::from_str_radix(digits, radix).map(Value::Integer).unwrap_or_else(|_| {
            let message = format!("`{digits}` is too large a number");
            self.reader.findings.error(place, message, "numbers have at most 63 bits");
            Value::Unknown
        })
    }

    fn text(&mut self, place: Place, text: &str) -> Value {
        let written = between_quotes(place.slice(self.text));
        let mut wrong = Vec::new();
        let replaced = env::replace(text, self.reader.environment, &mut wrong);
        if wrong.is_empty() {
            return Value::Text { verbatim: written == Some(replaced.as_str()), text: replaced };
        }
        for env::Unreplaced { span, message, help } in wrong {
            let place = if written == Some(text) { place.part(1, span) } else { place };
            self.reader.findings.error(place, message, help);
        }
        Value::Unknown
    }
}

fn between_quotes(source: &str) -> Option<&str> {
    source.get(1..source.len().saturating_sub(1))
}
